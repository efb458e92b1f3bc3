import { describe, expect, it } from 'vitest';
import { transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const HOST = 'GET /a3s/v1/host';
const SELF_TEST = 'POST /a3s/v1/host/self-test';
const PASSED = {
  engine: 'qemu',
  accelerator: 'tcg',
  kernel: '6.12.1',
  launchMs: 90,
  bootMs: 900,
  runMs: 80,
};

const doctor = (...args: string[]) => transcript(socket, ['doctor', ...args], { home: directory });

function serve(selfTest: object): void {
  const jail = {
    identity: true,
    namespaces: true,
    landlock: true,
    weakAccepted: false,
    allRequired: false,
  };
  const accelerators = [{ name: 'kvm', available: false, reason: 'no device' }];
  const engines = [{ name: 'qemu', available: true, version: '10', accelerators, tees: [] }];
  server.answers.set(HOST, { json: { jail, programs: [], engines } });
  server.answers.set(SELF_TEST, selfTest);
}

describe('doctor', () => {
  it('reports the host, runs a box with each accelerator, and ends with 0', async () => {
    serve({ json: PASSED });
    const { status, stdout } = await doctor();
    expect(status).toBe(0);
    expect(stdout).toContain(
      ' Engine qemu 10: available\n  accelerator kvm: not available: no device',
    );
    expect(stdout).toContain(
      ' tcg: passed: VMM 90 ms, boot 900 ms, program 80 ms (kernel 6.12.1)\n',
    );
    const asked = server.calls.filter(({ call }) => call === SELF_TEST);
    expect(asked.map(({ body }) => JSON.parse(body))).toEqual([
      { accelerator: 'kvm' },
      { accelerator: 'tcg' },
      { engine: 'krun' },
    ]);
  });

  it('ends with 1 and says what to do where no box runs', async () => {
    serve({ status: 500, json: { code: 'vmm-failed', message: 'it broke', remedy: 'Mend it.' } });
    const { status, stdout } = await doctor();
    expect(status).toBe(1);
    expect(stdout).toContain(' tcg: failed (vmm-failed): it broke\n');
    expect(stdout).toContain('error: No box runs with tcg: it broke\n  Mend it.\n');
  });

  it('prints one document as JSON', async () => {
    serve({ json: PASSED });
    const { status, stdout } = await doctor('--format', 'json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      host: { home: directory, node: process.version, kernel: expect.any(String) },
      server: { engines: [{ name: 'qemu' }] },
      selfTests: [
        { accelerator: 'kvm', result: PASSED },
        { accelerator: 'tcg', result: PASSED },
        { engine: 'krun', result: PASSED },
      ],
      findings: expect.any(Array),
    });
  });

  it('runs no box where that is asked', async () => {
    serve({ json: PASSED });
    expect((await doctor('--no-self-test')).status).toBe(0);
    expect(server.log).not.toContain(SELF_TEST);
  });

  it('reports on the host where no server answers', async () => {
    const { status, stdout } = await transcript(`${directory}/none`, ['doctor'], {
      home: directory,
    });
    expect(status).toBe(1);
    expect(stdout).toContain(`Node: ${process.version}`);
    expect(stdout).toContain('error: The control server does not serve: ');
  });

  it('refuses a format that it does not know', async () => {
    expect((await doctor('--format', 'xml')).status).toBe(125);
    expect(server.log).toEqual([]);
  });
});
