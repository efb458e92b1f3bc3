// Secrets go to the box that was verified, from the keys that its launch spec names, once. What the
// workload can have signed passes for nothing else. All of it as the user who has no privileges,
// where there is one to play.
import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { workloadReportData } from '@a3s-box/ratls';
import { MAX_SECRET_SIZE } from '@a3s-box/ratls/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ACTORS } from '../actor.ts';
import { until } from '../processes.ts';
import { type Keys, Unverified } from './attacker.ts';
import { BoxHost, TIMEOUT_MS } from './boxes.ts';

const COMMAND = ['sh', '-c', 'sha256sum < /run/secrets/token; exec sleep 1000'];
const VALUE = 'the value of the token';
/** Where a report has REPORT_DATA, and what is to be there. */
const REPORT_DATA = 0x50;

let host: BoxHost;
let policy: string;
let port: number;
let instance: string;

const token = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('ed25519');

/** Files of a pair of keys: `NAME.key` and `NAME.pub`. */
function keyFiles(name: string, { privateKey }: Keys): void {
  host.write(`${name}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const spki = createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  host.write(`${name}.pub`, spki.export({ type: 'spki', format: 'pem' }));
}

beforeAll(async () => {
  host = await BoxHost.open(ACTORS.at(-1) ?? 'ordinary user');
  keyFiles('token', token);
  keyFiles('other', other);
  keyFiles('stranger', stranger);
  const secrets = ['token', 'other'].flatMap((name) => [
    ...['--secret', `${name}:from=${host.at(`${name}.pub`)}`],
  ]);
  const flags = ['--memory', '192m', '--host-may', 'exec,logs', ...secrets];
  policy = await host.measure('policy', flags, COMMAND);
  await host.run('keeper', flags, COMMAND);
  port = await host.port('keeper');
  instance = (await host.inspect('keeper')).Confidential.Instance ?? '';
});
afterAll(() => host?.leave());

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

it('accepts secrets only in attested sessions and from named keys', async () => {
  const session = await Unverified.open(port);
  const put = async (name: string, value: Uint8Array, keys: Keys) => {
    const body = await session.injection(name, value, keys);
    return session.ask('PUT', `/secrets/${name}`, body);
  };
  const value = bytes(VALUE);
  expect(await put('token', value, token)).toMatchObject({ status: 403, code: 'not-attested' });
  expect(await session.attest()).toMatchObject({ status: 200 });
  const denied = { status: 403, code: 'injector-not-permitted' };
  expect(await put('token', value, stranger)).toMatchObject(denied);
  expect(await put('token', value, other)).toMatchObject(denied);
  expect(await put('another', value, token)).toMatchObject({ status: 404, code: 'no-such-secret' });
  const large = new Uint8Array(MAX_SECRET_SIZE + 1);
  expect(await put('token', large, token)).toMatchObject({ status: 413, code: 'secret-too-large' });
  const unsigned = { value: Buffer.from(value).toString('base64') };
  expect(await session.ask('PUT', '/secrets/token', unsigned)).toMatchObject({
    status: 400,
    code: 'injector-key-missing',
  });

  // An injection that was seen is good for its own connection, its own name and its own value
  // alone.
  const signed = await session.injection('token', value, token);
  const changed = { ...signed, value: Buffer.from('another').toString('base64') };
  const forged = { status: 403, code: 'injector-signature-invalid' };
  expect(await session.ask('PUT', '/secrets/token', changed)).toMatchObject(forged);
  session.close();
  const later = await Unverified.open(port);
  await later.attest();
  expect(await later.ask('PUT', '/secrets/token', signed)).toMatchObject(forged);
  const { document } = await later.ask('GET', '/info');
  expect(document).toMatchObject({ state: 'waiting' });
  expect(JSON.stringify(document['secrets'])).not.toContain('"delivered":true');
  later.close();
  expect((await host.inspect('keeper')).Confidential.SecretsState).toBe('waiting');
});

it('refuses a broker with the wrong key, secret or size before it sends anything', async () => {
  const key = host.at('token.key');
  const inject = (file: string, secret: string) => host.inject(port, policy, file, secret);
  const large = host.write('large', new Uint8Array(MAX_SECRET_SIZE + 1).fill(97));
  for (const [file, secret, code] of [
    [host.at('stranger.key'), `token=${VALUE}`, 'injector-not-permitted'],
    [key, `another=${VALUE}`, 'no-such-secret'],
  ] as const) {
    const { code: status, stdout, stderr } = await inject(file, secret);
    expect({ status, stdout, stderr }, code).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining(`(${code})`),
    });
  }
  const { code: status, stdout } = await inject(key, `token=@${large}`);
  expect(stdout).toBe('');
  expect(status).not.toBe(0);
});

it('accepts each secret once, and starts the workload when all have arrived', async () => {
  const inject = (name: string, value: string) =>
    host.inject(port, policy, host.at(`${name}.key`), `${name}=${value}`);
  expect(await inject('token', VALUE)).toMatchObject({ code: 0, stdout: 'token\n' });
  expect((await host.inspect('keeper')).Confidential.SecretsState).toBe('waiting');
  for (const value of [VALUE, 'another']) {
    const twice = await inject('token', value);
    expect(twice).toMatchObject({ code: 1, stdout: '' });
    expect(twice.stderr).toContain('(secret-already-delivered)');
  }
  expect(await host.actor.ok(['logs', 'keeper'])).toBe('');
  expect(await inject('other', 'something')).toMatchObject({ code: 0 });
  const digest = createHash('sha256').update(VALUE).digest('hex');
  await until(
    'the workload has its secret',
    async () => (await host.actor.ok(['logs', 'keeper'])) === `${digest}  -`,
    TIMEOUT_MS,
  );
  expect(JSON.stringify(await host.inspect('keeper'))).not.toContain(VALUE);
});

/** What the workload asks its agent for; answers of HTTP/1.0 come in one piece. */
async function asked(method: string, path: string, body: string): Promise<[number, string]> {
  const head = `${method} ${path} HTTP/1.0\r\nHost: a3s\r\n`;
  const sent = `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const said = await host.actor.ok(['exec', '-i', 'keeper', 'ask'], { stdin: sent });
  const [, status] = /^HTTP\/1\.[01] (\d{3}) /.exec(said) ?? [];
  return [Number(status), said.slice(said.indexOf('\r\n\r\n') + 4)];
}

it('signs data of the workload as the workload’s, and never as the agent’s', async () => {
  // What would be REPORT_DATA of a session, asked for outright.
  const data = randomBytes(64);
  const body = { data: data.toString('base64') };
  const [status, text] = await asked('POST', '/v1/evidence', JSON.stringify(body));
  expect(status).toBe(200);
  const answer = JSON.parse(text);
  expect(answer.instance).toBe(instance);
  const specDigest = Buffer.from(answer.specDigest, 'hex');
  const report = Buffer.from(answer.evidence.report, 'base64');
  const own = workloadReportData(data, { instance: Buffer.from(instance, 'hex'), specDigest });
  const said = report.subarray(REPORT_DATA, REPORT_DATA + 64);
  expect(said.toString('hex')).toBe(Buffer.from(own).toString('hex'));

  for (const more of [{ purpose: 'ra-tls-session' }, { role: 'server' }, { nonce: body.data }]) {
    const [refused] = await asked('POST', '/v1/evidence', JSON.stringify({ ...body, ...more }));
    expect(refused, Object.keys(more)[0]).toBe(400);
  }
  for (const path of ['/attest', '/v1/report', '/v1/ratls', '/secrets/token', '/info']) {
    expect((await asked('POST', path, JSON.stringify(body)))[0], path).toBe(404);
  }
});

it('ends a box whose secrets do not come in time without starting its workload', async () => {
  const secret = ['--secret', `token:from=${host.at('token.pub')}`];
  const flags = ['--memory', '192m', '--host-may', 'logs', '--secrets-deadline', '1s', ...secret];
  await host.run('late', flags, COMMAND);
  await until(
    'it has ended',
    async () => (await host.inspect('late')).State.Status === 'exited',
    TIMEOUT_MS,
  );
  const { State, Confidential } = await host.inspect('late');
  expect(State).toMatchObject({ ExitCode: 125, Error: expect.stringContaining('secret') });
  expect(Confidential.SecretsState).toBe('expired');
  expect(await host.actor.ok(['logs', 'late'])).toBe('');
});
