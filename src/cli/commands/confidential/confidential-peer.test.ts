import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  type AgentServer,
  agentServer,
  guestSource,
  PROCESSOR,
  policyFor,
  specText,
} from '@a3s-box/ratls/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeEnds, transcript } from '../../testing/fake-context.ts';

const injector = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
const stranger = generateKeyPairSync('ed25519');
const spki = injector.publicKey.export({ format: 'der', type: 'spki' });
const injectors = [createHash('sha256').update(spki).digest('hex')];
const delivery = { kind: 'file' } as const;
const SPEC = specText('shop', [
  { name: 'open', injectors: [], allowAnyInjector: true, delivery },
  { name: 'token', injectors, allowAnyInjector: false, delivery },
]);
const SECRET = 'correct horse battery staple';

let box: AgentServer;
let address: string;
let cwd: string;

beforeAll(async () => {
  box = await agentServer({ source: guestSource({ spec: SPEC, now: new Date() }) });
  address = `127.0.0.1:${box.port}`;
});
afterAll(() => box[Symbol.asyncDispose]());

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-peer-'));
  const { measurements } = policyFor();
  const policy = {
    tee: 'simulated',
    measurements,
    hostData: 'any-explicit',
    crl: { required: false },
  };
  writeFileSync(join(cwd, 'policy.json'), JSON.stringify(policy));
  const pem = (key: typeof injector.privateKey) => key.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(join(cwd, 'broker.key'), pem(injector.privateKey), { mode: 0o600 });
  writeFileSync(join(cwd, 'stranger.key'), pem(stranger.privateKey), { mode: 0o600 });
  writeFileSync(join(cwd, 'roots.pem'), PROCESSOR.roots().pem);
});
afterEach(() => rmSync(cwd, { recursive: true }));

const run = (args: readonly string[], ends: FakeEnds = {}) =>
  transcript('/nonexistent', args, { cwd, home: cwd, ...ends });
const attest = (...args: string[]) => run(['attest', 'box', '--policy=policy.json', ...args]);
const inject = (args: readonly string[], ends: FakeEnds = {}) =>
  run(['inject-secret', '--policy=policy.json', '--allow-simulated', ...args], ends);

describe('attest box', () => {
  it('accepts a box that the policy accepts, and prints SIMULATED', async () => {
    const done = await attest('--allow-simulated', address);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('*** SIMULATED EVIDENCE');
    expect(done.stdout).toMatch(/✓ report-data +the fresh report is over this nonce/);
    expect(done.stdout).toMatch(/✓ measurement /);
    expect(done.stdout).toMatch(/deployment +shop\n/);
    expect(done.stdout).toMatch(/secrets +open \(ANYBODY may inject it\), token\n/);
    expect(done.stdout).toMatch(/\nAccepted as a SIMULATED box: .*\n$/);
  });

  it('prints one document with --json', async () => {
    const done = await attest('--allow-simulated', '--json', address);
    expect(done.stderr).toContain('SIMULATED');
    const { checks, ...verdict } = JSON.parse(done.stdout);
    expect(verdict).toMatchObject({
      accepted: true,
      code: 'accepted',
      simulated: true,
      target: address,
      box: { instance: '01'.repeat(16), spec: { deployment: 'shop' } },
    });
    expect(verdict.claims.reportData).toBe(verdict.reportData);
    expect(checks).toContainEqual({ stage: 'session', code: 'host-data', verdict: 'passed' });
    expect(checks).toContainEqual({ stage: 'verify', code: 'report-signature', verdict: 'passed' });
  });

  it('rejects simulated evidence unless flag and policy allow it', async () => {
    const done = await attest(address);
    expect(done.status).toBe(1);
    expect(done.stdout).toContain('Rejected (simulated-not-allowed)');
    writeFileSync(join(cwd, 'policy.json'), '{}');
    const hardware = await attest('--allow-simulated', address);
    expect(hardware.status).toBe(1);
    expect(hardware.stdout).toContain('Rejected (certificate-tee)');
    expect(hardware.stdout).not.toContain('Accepted');
  });

  it('pins the installation whose simulated evidence is accepted', async () => {
    const pinned = await attest('--allow-simulated', '--simulated-root=roots.pem', address);
    expect(pinned.status).toBe(0);
    const bad = await attest('--allow-simulated', '--simulated-root=policy.json', address);
    expect(bad).toMatchObject({ status: 2, stdout: '' });
    expect(bad.stderr).toContain('(pem-malformed)');
  });

  it.each([
    ['expected-deployment', '--expect-deployment=another'],
    ['expected-instance', `--expect-instance=${'02'.repeat(16)}`],
    ['expected-spec', `--expect-spec=${'02'.repeat(32)}`],
  ])('refuses a box other than the expected one: %s', async (code, flag) => {
    const done = await attest('--allow-simulated', '--json', flag, address);
    expect(done.status).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ accepted: false, code });
  });

  it('writes evidence that attest verify accepts', async () => {
    const done = await attest('--allow-simulated', '--out=evidence', '--json', address);
    const { reportData, files } = JSON.parse(done.stdout);
    expect(readdirSync(join(cwd, 'evidence')).sort()).toEqual([
      'authorities.pem',
      'launch-spec.json',
      'nonce.bin',
      'report-data.hex',
      'report.bin',
      'simulated-roots.pem',
      'vcek.der',
    ]);
    expect(statSync(join(cwd, 'evidence/report.bin')).mode & 0o777).toBe(0o600);
    expect(readFileSync(files['launch spec'], 'utf8')).toBe(SPEC);
    const verified = await run([
      ...['attest', 'verify', '--policy=policy.json', '--allow-simulated'],
      ...['--simulated-roots=evidence/simulated-roots.pem', '--report=evidence/report.bin'],
      ...['--vek=evidence/vcek.der', `--report-data=${reportData}`],
    ]);
    expect(verified.stdout).toContain('Accepted as SIMULATED evidence');
    expect(verified.status).toBe(0);
  });

  it('attest box cannot decide when the box is unreachable or no address is given', async () => {
    const gone = await agentServer({ source: guestSource() });
    await gone[Symbol.asyncDispose]();
    const done = await attest('--allow-simulated', '--json', `127.0.0.1:${gone.port}`);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('(unreachable)');
    expect(JSON.parse(done.stdout)).toMatchObject({ accepted: false, code: 'unreachable' });
    for (const target of ['127.0.0.1:0', '127.0.0.1:', ':1', 'a:b:1', '127.0.0.1:70000']) {
      const bad = await attest('--allow-simulated', target);
      expect(bad).toMatchObject({ status: 2, stdout: '' });
      expect(bad.stderr).toContain('(invalid-argument)');
    }
    expect((await run(['attest', 'box', address])).stderr).toContain('flag --policy');
  });

  it('connects to a box of this installation through the server', async () => {
    const asked: string[] = [];
    const server = createServer();
    server.on('upgrade', (request, socket) => {
      asked.push(`${request.method} ${request.url}`);
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n',
      );
      const inner = connect(box.port, '127.0.0.1');
      socket.pipe(inner).pipe(socket);
      socket.on('error', () => inner.destroy());
      inner.on('error', () => socket.destroy());
    });
    const path = join(cwd, 's');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const args = ['attest', 'box', '--policy=policy.json', '--allow-simulated', 'db'];
    const done = await transcript(path, args, { cwd, home: cwd });
    server.close();
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    expect(asked).toEqual(['POST /a3s/v1/boxes/db/ratls']);
  });
});

describe('inject-secret', () => {
  it('refuses a key that the launch spec does not name before it sends anything', async () => {
    const done = await inject(['--key=stranger.key', address, `token=${SECRET}`]);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(injector-not-permitted)');
    expect(done.stderr).not.toContain(SECRET);
    expect(box.injected.has('token')).toBe(false);
  });

  it('injects a secret from a file once', async () => {
    writeFileSync(join(cwd, 'token.txt'), SECRET);
    const args = ['--key=broker.key', address, 'token=@token.txt'];
    const done = await inject(args);
    expect(done).toMatchObject({ status: 0, stdout: 'token\n' });
    expect(done.stderr).toContain('SIMULATED');
    expect(box.injected.get('token')).toBe(SECRET);
    const again = await inject(args);
    expect(again).toMatchObject({ status: 1, stdout: '' });
    expect(again.stderr).toContain('(secret-already-delivered)');
  });

  it('injects a secret from standard input, and warns that anybody may inject it', async () => {
    const stdin = new PassThrough();
    stdin.end(SECRET);
    const done = await inject(['--key=stranger.key', address, 'open=-'], { stdin });
    expect(done.stderr).toContain('WARNING: any client that reaches the box may inject open.');
    expect(done.status).toBe(0);
    expect(box.injected.get('open')).toBe(SECRET);
  });

  it('sends no secret to a box that the policy rejects', async () => {
    const before = box.asked.filter((line) => line.startsWith('PUT')).length;
    writeFileSync(join(cwd, 'policy.json'), '{"tee":"simulated","crl":{"required":false}}');
    const done = await inject(['--key=broker.key', address, `token=${SECRET}`]);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(appraisal)');
    expect(box.asked.filter((line) => line.startsWith('PUT'))).toHaveLength(before);
  });

  it('does not print an argument that it cannot parse, because it may be the secret', async () => {
    const done = await inject(['--key=broker.key', address, SECRET]);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('a secret is NAME=VALUE');
    expect(done.stderr).not.toContain(SECRET);
  });

  it('refuses an injector key of another kind', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp521r1' });
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' });
    writeFileSync(join(cwd, 'other.key'), pem, { mode: 0o600 });
    const done = await inject(['--key=other.key', address, `token=${SECRET}`]);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('must be Ed25519, or on P-256 or P-384');
  });
});
