/**
 * Boxes on a real libkrun, with KVM, on an emulated host: `npm run test:krun -- --library PATH`.
 * One host and one box serve all tests, in their order.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';
import { until } from '../e2e/processes.ts';
import { KvmHost, startKvmHost } from './kvm-host.ts';

const LIBRARY = '/opt/libkrun/libkrun.so.1';
const HOME = '/tmp/krun';

let installation: Installation;
let host: KvmHost;

const inside = (script: string): Promise<string> => host.ok(['exec', 'box', 'sh', '-c', script]);

beforeAll(async () => {
  installation = await install();
  const prepared = await startKvmHost(installation, { keep: false });
  const env = { A3S_HOME: HOME, A3S_KRUN_LIBRARY: LIBRARY, A3S_KVM_TIMEOUT: '240' };
  host = new KvmHost(prepared.host, env);
  await host.host.sh(`mkdir -p ${HOME} /opt/libkrun; chmod 0666 /dev/kvm`);
  const library = readFileSync(process.env['A3S_KRUN_LIBRARY'] ?? '');
  await host.host.run(['sh', '-c', `cat > ${LIBRARY}`], { stdin: library });
  await host.ok(['load', '--quiet'], { stdin: readFileSync(installation.archives.busybox) });
});
afterAll(async () => {
  await host?.host.kill();
  installation?.remove();
});

describe('with a real libkrun', () => {
  it('boots a guest for the report of the engines', async () => {
    expect(await host.ok(['info', '--format', '{{json .engines}}'])).toMatch(
      /"name":"krun","available":true/,
    );
  });

  it('runs a box with two processors in the jail of its user, and publishes its port', async () => {
    const script = 'trap "exit 7" TERM; httpd -p 8080 -h /etc; echo up; while :; do sleep 1; done';
    await host.ok([
      ...['run', '-d', '--engine', 'krun', '--cpus', '2', '-p', '127.0.0.1:8080:8080'],
      ...['--name', 'box', BUSYBOX, 'sh', '-c', script],
    ]);
    await until('it is up', async () => (await host.ok(['logs', 'box'])) === 'up');
    expect(await inside('nproc; echo kept > /kept; sync')).toBe('2');
    const name = await inside('hostname');
    expect(await host.host.sh('busybox wget -qO- http://127.0.0.1:8080/hostname')).toBe(name);
    const pid = await host.ok(['inspect', '--format', '{{.State.Pid}}', 'box']);
    const status = await host.host.sh(`cat /proc/${pid}/status`);
    expect(status).toMatch(/^CapEff:\t0{16}$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).not.toMatch(/^Uid:\t0\t/m);
  });

  it('carries bytes over vsock in both directions', async () => {
    const bytes = Buffer.alloc(3_000_000, 'libkrun\0\xff\n', 'latin1');
    const { code, stdout } = await host.run(['exec', '-i', 'box', 'cat'], { stdin: bytes });
    expect([code, stdout === bytes.toString()]).toEqual([0, true]);
  });

  it('stops and starts the box, which keeps its disk', async () => {
    await host.ok(['stop', '--time', '60', 'box']);
    expect((await host.inspect('box')).State).toMatchObject({ Status: 'exited', ExitCode: 7 });
    await host.ok(['start', 'box']);
    expect(await inside('cat /kept')).toBe('kept');
  });

  it('leaves no process and no file of the run', async () => {
    await host.docker(['rm', '-f', 'box']);
    expect(await host.processes('krun-shim|passt')).toEqual([]);
    expect(await host.host.sh(`ls ${HOME}/krun`)).toBe('kernels\nprobe.json');
  });
});
