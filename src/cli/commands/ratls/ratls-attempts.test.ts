import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentServer,
  type AgentServerOptions,
  agentServer,
  guestSource,
  policyFor,
  specText,
} from '@a3s-box/ratls/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { transcript } from '../../testing/fake-context.ts';

const injector = generateKeyPairSync('ed25519');
const spki = injector.publicKey.export({ format: 'der', type: 'spki' });
const injectors = [createHash('sha256').update(spki).digest('hex')];
const delivery = { kind: 'file' } as const;
const SPEC = specText('shop', [
  { name: 'other', injectors, allowAnyInjector: false, delivery },
  { name: 'token', injectors, allowAnyInjector: false, delivery },
]);

let cwd: string;
let box: AgentServer;
let servers: Server[];
let sockets: Socket[];

beforeEach(() => {
  servers = [];
  sockets = [];
  cwd = mkdtempSync(join(tmpdir(), 'a3s-attempts-'));
  const { measurements } = policyFor();
  const policy = { tee: 'simulated', hostData: 'any-explicit', crl: { required: false } };
  writeFileSync(join(cwd, 'policy.json'), JSON.stringify({ ...policy, measurements }));
  const pem = injector.privateKey.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(join(cwd, 'broker.key'), pem, { mode: 0o600 });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await box[Symbol.asyncDispose]();
  rmSync(cwd, { recursive: true });
});

/** Starts an agent whose requests `override` may answer. */
async function agent(override?: AgentServerOptions['override']): Promise<string> {
  const source = guestSource({ spec: SPEC, now: new Date() });
  box = await agentServer(override === undefined ? { source } : { source, override });
  return `127.0.0.1:${box.port}`;
}

function carry(socket: Socket): void {
  const inner = connect(box.port, '127.0.0.1');
  for (const each of [socket, inner]) sockets.push(each.on('error', () => undefined));
  socket.pipe(inner).pipe(socket);
}

/** Closes the first `count` connections, and forwards later ones to the agent. */
async function hangingUp(times: number): Promise<{ address: string; came: () => number }> {
  let came = 0;
  const server = createServer((socket) => {
    came += 1;
    if (came <= times) socket.destroy();
    else carry(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, came: () => came };
}

const run = (socket: string, ...args: string[]) => transcript(socket, args, { cwd, home: cwd });
const TRUST = ['--policy=policy.json', '--allow-simulated'];
const attest = (...args: string[]) => run('/nonexistent', 'attest', 'box', ...TRUST, ...args);
const inject = (...args: string[]) =>
  run('/nonexistent', 'inject-secret', ...TRUST, '--key=broker.key', ...args);

/** Ends the session instead of the first answer to this path. */
function breaksOff(path: string): NonNullable<AgentServerOptions['override']> {
  let broken = false;
  return (stream, headers) => {
    if (headers[':path'] !== path || broken) return false;
    broken = true;
    stream.session?.destroy();
    return true;
  };
}

describe('attest box', () => {
  it('attest box retries when the box hangs up', async () => {
    await agent();
    const { address, came } = await hangingUp(3);
    expect(await attest(address)).toMatchObject({ status: 0, stderr: '' });
    expect(came()).toBe(4);
  });

  it('attest box retries until its timeout', async () => {
    await agent();
    const { address, came } = await hangingUp(Number.POSITIVE_INFINITY);
    const done = await attest('--timeout=1s', address);
    expect(done.status).toBe(2);
    expect(done.stderr).toMatch(/\((unreachable|timeout)\)/);
    expect(came()).toBeGreaterThan(1);
  });

  it('attest box retries when the session ends before the evidence', async () => {
    const address = await agent(breaksOff('/attest'));
    expect(await attest(address)).toMatchObject({ status: 0, stderr: '' });
    expect(box.connections()).toBe(2);
  });

  it('attest box retries when the box is rate limited', async () => {
    let asked = 0;
    const address = await agent((stream, headers) => {
      if (headers[':path'] !== '/attest') return false;
      asked += 1;
      if (asked > 2) return false;
      refuse(stream, 429, 'rate-limited');
      return true;
    });
    expect(await attest(address)).toMatchObject({ status: 0, stderr: '' });
    expect(box.connections()).toBe(3);
  });

  it('attest box does not retry a box that it rejects', async () => {
    const address = await agent();
    const done = await attest('--json', '--expect-deployment=another', address);
    expect(done.status).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ code: 'expected-deployment' });
    expect(box.connections()).toBe(1);
  });

  it('attest box retries when the server has no connection left', async () => {
    await agent();
    let came = 0;
    const server = createHttpServer();
    servers.push(server);
    server.on('upgrade', (_, socket: Socket) => {
      came += 1;
      if (came > 1) {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n',
        );
        carry(socket);
        return;
      }
      const body = JSON.stringify({ message: 'too many', code: 'ratls-busy' });
      socket.end(`HTTP/1.1 429 Busy\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    const path = join(cwd, 's');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const done = await run(path, 'attest', 'box', ...TRUST, 'db');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(came).toBe(2);
  });
});

describe('inject-secret', () => {
  it('inject-secret retries when the box hangs up', async () => {
    await agent();
    const { address } = await hangingUp(2);
    expect(await inject(address, 'token=a')).toMatchObject({ status: 0, stdout: 'token\n' });
    expect(box.injected.get('token')).toBe('a');
  });

  it('inject-secret continues with the secret at which a session broke off', async () => {
    const address = await agent(breaksOff('/secrets/token'));
    const done = await inject(address, 'other=a', 'token=b');
    expect(done).toMatchObject({ status: 0, stdout: 'other\ntoken\n' });
    expect(box.asked.filter((line) => line.startsWith('PUT'))).toEqual([
      'PUT /secrets/other',
      'PUT /secrets/token',
      'PUT /secrets/token',
    ]);
    expect(done.stderr.match(/\*\*\* SIMULATED/g)).toHaveLength(1);
  });

  it('inject-secret does not claim a secret as its own when the answer was lost', async () => {
    let lost = false;
    const address = await agent((stream, headers) => {
      if (headers[':path'] !== '/secrets/token') return false;
      if (lost) refuse(stream, 409, 'secret-already-delivered');
      else stream.session?.destroy();
      lost = true;
      return true;
    });
    const done = await inject(address, 'token=a');
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('Cannot tell who injected token');
    expect(done.stderr).toContain('(secret-already-delivered)');
  });
});

function refuse(stream: ServerHttp2Stream, status: number, code: string): void {
  stream.respond({ ':status': status, 'content-type': 'application/json' });
  stream.end(JSON.stringify({ error: { code, message: 'not now' } }));
}
