import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '@a3s-box/ratls';
import {
  agentSocket,
  guestSource,
  NOW,
  PROCESSOR,
  policyFor,
  specText,
} from '@a3s-box/ratls/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keyPin } from '../../../broker/testing/certificate.ts';
import { SERVER, startTestBroker, type TestBroker } from '../../../broker/testing/test-broker.ts';
import { transcript } from '../../testing/fake-context.ts';

const cwd = mkdtempSync(join(tmpdir(), 'a3s-broker-pin-'));
const socket = join(cwd, 'agent.sock');
let agent: AsyncDisposable;
let broker: TestBroker;
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  agent = await agentSocket(socket, guestSource({ workload: true }));
  broker = await startTestBroker({ agent: socket });
  const { measurements } = policyFor();
  const hostData = createHash('sha256').update(specText()).digest('hex');
  const policy = { tee: 'simulated', measurements, hostData };
  const text = (changes: object) =>
    JSON.stringify({ ...policy, crl: { required: false }, ...changes });
  writeFileSync(join(cwd, 'policy.json'), text({}));
  writeFileSync(join(cwd, 'any.json'), text({ hostData: 'any-explicit' }));
  writeFileSync(join(cwd, 'other.json'), text({ measurements: ['ab'.repeat(48)] }));
  writeFileSync(join(cwd, 'roots.pem'), PROCESSOR.roots().pem);
});
afterAll(async () => {
  await broker[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
  rmSync(cwd, { recursive: true });
  vi.useRealTimers();
});

const SIMULATED = ['--allow-simulated', '--simulated-root=roots.pem'];

const pin = (policy: string, more = SIMULATED, port = broker.running.ports.ratls) => {
  const flags = [`--policy=${policy}`, ...more, `127.0.0.1:${port}`];
  return transcript('/nonexistent', ['broker', 'pin', ...flags], { cwd });
};

describe('a3s-box broker pin', () => {
  it('prints the key by which boxes know a broker that it has verified', async () => {
    const { status, stdout, stderr } = await pin('policy.json');
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${keyPin(SERVER.cert)}\n` });
    expect(stderr).toContain('SIMULATED');
    expect(stderr).not.toContain('host-may');
  });

  it.each([
    [['exec', 'logs'], '(exec)'],
    [['attach', 'files'], '(attach, files)'],
    [['logs', 'signals', 'stats'], undefined],
  ] as const)('warns where the launch spec lets the host do %j', async (hostMay, warned) => {
    const spec = specText('test', [], { hostMay: [...hostMay] });
    const evidence = guestSource({ workload: true, spec });
    const app = { fetch: () => Response.json({ sha256: 'a'.repeat(64) }) };
    const other = await serve(app, { evidence, host: '127.0.0.1', port: 0 });
    const digest = createHash('sha256').update(spec).digest('hex');
    const named = [...SIMULATED, `--expect-spec=${digest}`];
    const { status, stdout, stderr } = await pin('any.json', named, other.port);
    await other.close();
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${'a'.repeat(64)}\n` });
    if (warned === undefined) expect(stderr).not.toContain('WARNING: the launch spec');
    else expect(stderr).toContain(`what the broker can ${warned}`);
  });

  it.each([
    ['the policy rejects', 'other.json', SIMULATED],
    ['is simulated', 'policy.json', []],
  ])('prints no key of a broker that %s', async (_, policy, more) => {
    const { status, stdout, stderr } = await pin(policy, more);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).not.toBe('');
  });

  it('takes no policy that accepts every launch spec, unless a flag names one', async () => {
    const any = await pin('any.json');
    expect(any).toMatchObject({ status: 2, stdout: '' });
    expect(any.stderr).toContain('accepts every launch spec');
    const digest = createHash('sha256').update(specText()).digest('hex');
    const named = await pin('any.json', [...SIMULATED, `--expect-spec=${digest}`]);
    expect(named).toMatchObject({ status: 0, stdout: `${keyPin(SERVER.cert)}\n` });
  });

  it.each([
    ['another status', new Response('x', { status: 404 })],
    ['no pin', Response.json({ sha256: 'x' })],
    ['more than a pin', Response.json({ sha256: 'a'.repeat(64), more: 1 })],
    ['very much', new Response('x'.repeat(100_000))],
  ])('prints nothing of an accepted box that answers with %s', async (_, response) => {
    const evidence = guestSource({ workload: true });
    const other = await serve({ fetch: () => response }, { evidence, host: '127.0.0.1', port: 0 });
    const { status, stdout, stderr } = await pin('policy.json', SIMULATED, other.port);
    await other.close();
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('says no key of a broker');
  });

  it('takes an address, and not the name of a box, whose agent would answer', async () => {
    const args = ['broker', 'pin', '--policy=policy.json', 'web'];
    const { status, stderr } = await transcript('/nonexistent', args, { cwd });
    expect(status).toBe(2);
    expect(stderr).toContain('is not HOST:PORT');
  });
});
