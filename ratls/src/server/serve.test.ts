import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Request as Exchange, exchange, speakHttp2 } from '../client/exchange.ts';
import { connect, RatlsError, type RatlsServer, ratlsFetch } from '../index.ts';
import { agentServer } from '../testing/agent-server.ts';
import { agentSocket } from '../testing/fake-agent-socket.ts';
import { guestSource, trusting } from '../testing/simulated-source.ts';
import { agentEvidence } from './agent-evidence.ts';
import type { Application } from './application.ts';
import { type ServeOptions, serve } from './serve.ts';

const workload = guestSource({ workload: true });
const started: RatlsServer[] = [];
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-serve-'));
});
afterEach(async () => {
  for (const server of started.splice(0)) await server.close();
  rmSync(directory, { recursive: true });
});

const echo: Application = {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/throw') throw new Error('a secret of the application');
    if (pathname === '/empty') return new Response(null, { status: 204 });
    if (pathname === '/cookies') {
      const headers = new Headers([
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ]);
      return new Response('', { headers });
    }
    const text = `${request.method} ${pathname} ${request.headers.get('x-who')} ${await request.text()}`;
    return new Response(text, { status: 201 });
  },
};

async function serving(
  options: Partial<ServeOptions> = {},
  app: Application = echo,
): Promise<RatlsServer> {
  const server = await serve(app, { evidence: workload, host: '127.0.0.1', port: 0, ...options });
  started.push(server);
  return server;
}

const asWorkload = (port: number) => trusting(port, { peer: 'workload' });

async function secured(port: number, session?: Buffer): Promise<TLSSocket> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  });
  await once(socket, 'secureConnect');
  return socket;
}

const asking = (path: string, body?: string): Exchange => ({
  method: body === undefined ? 'GET' : 'POST',
  path,
  limit: 1 << 20,
  timeout: 30_000,
  signal: undefined,
  ...(body === undefined ? {} : { body }),
});

describe('serve', () => {
  it('verifies a served application as a workload, with evidence from the agent', async () => {
    const socketPath = join(directory, 's');
    await using _ = await agentSocket(socketPath, workload);
    const { port } = await serving({ evidence: agentEvidence({ socketPath }) });
    using session = await connect(asWorkload(port));
    expect(session.peer).toMatchObject({ simulated: true, instance: '01'.repeat(16) });
    const init = { method: 'POST', headers: { 'x-who': 'me' }, body: 'hello' };
    const response = await session.fetch('/echo?x=1', init);
    expect(response.status).toBe(201);
    expect(await response.text()).toBe('POST /echo me hello');
  });

  it('returns the answers of the application, and reveals nothing when it fails', async () => {
    const { port } = await serving();
    using session = await connect(asWorkload(port));
    const empty = await session.fetch('/empty');
    expect([empty.status, empty.body]).toEqual([204, null]);
    const cookies = await session.fetch('/cookies');
    expect(cookies.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const failed = await session.fetch('/throw');
    expect([failed.status, await failed.text()]).toEqual([500, '']);
    const head = await session.fetch('/x', { method: 'HEAD' });
    expect([head.status, head.body]).toEqual([201, null]);
  });

  it('answers challenges without the application, and refuses malformed ones', async () => {
    const paths: string[] = [];
    const { port } = await serving(
      {},
      {
        fetch(request) {
          paths.push(new URL(request.url).pathname);
          return new Response('');
        },
      },
    );
    const session = speakHttp2(await secured(port));
    for (const body of [
      '',
      '{}',
      '{"nonce":""}',
      `{"nonce":"${'A'.repeat(40)}"}`,
      'A'.repeat(2000),
    ]) {
      const { status, body: answer } = await exchange(session, asking('/attest', body));
      expect([status, JSON.parse(`${answer}`).error.code]).toEqual([400, 'nonce-malformed']);
    }
    await exchange(session, asking('/attest'));
    session.destroy();
    expect(paths).toEqual(['/attest']);
  });

  it('limits the challenges of one connection', async () => {
    const attestations = { burst: 2, perSecond: 1e-9 };
    const { port } = await serving({ limits: { attestations } });
    const session = speakHttp2(await secured(port));
    const body = JSON.stringify({ nonce: Buffer.alloc(32).toString('base64') });
    const statuses: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      statuses.push((await exchange(session, asking('/attest', body))).status);
    }
    session.destroy();
    expect(statuses).toEqual([200, 200, 429]);
    // Another connection has its own limit.
    using other = await connect(asWorkload(port));
    expect(other.ended).toBe(false);
  });

  it('limits the challenges of all connections together', async () => {
    const allAttestations = { burst: 1, perSecond: 1e-9 };
    const { port } = await serving({ limits: { allAttestations } });
    using _ = await connect(asWorkload(port));
    await expect(connect(asWorkload(port))).rejects.toMatchObject({
      code: 'attest-answer',
      found: 'rate-limited',
    });
  });

  it('ends handshakes that do not finish, and connections that are idle', async () => {
    const { port } = await serving({ limits: { handshake: 200, idle: 200 } });
    const halfOpen = connectTcp(port, '127.0.0.1');
    halfOpen.on('error', () => {});
    await once(halfOpen, 'close');
    const idle = speakHttp2(await secured(port));
    await once(idle, 'close');
  });

  it('resets a request whose body does not arrive in its time, and answers others', async () => {
    const received: string[] = [];
    const app: Application = {
      async fetch(request) {
        received.push(await request.text().catch(() => 'broken off'));
        return new Response('');
      },
    };
    const { port } = await serving({ limits: { request: 200 } }, app);
    const session = speakHttp2(await secured(port));
    const slow = session.request({ ':method': 'POST', ':path': '/' });
    slow.on('error', () => {});
    slow.write('a part');
    await once(slow, 'close');
    expect(slow.rstCode).toBe(constants.NGHTTP2_CANCEL);
    expect((await exchange(session, asking('/', 'whole'))).status).toBe(200);
    expect(received).toEqual(['broken off', 'whole']);
    session.destroy();
  });

  it('ends half-open connections when the server closes', async () => {
    const { port } = await serving();
    const halfOpen = connectTcp(port, '127.0.0.1');
    halfOpen.on('error', () => {});
    await once(halfOpen, 'connect');
    const closed = once(halfOpen, 'close');
    await started.pop()?.close();
    await closed;
  });

  it('resumes no TLS session', async () => {
    const { port } = await serving();
    const first = await secured(port);
    const ticket = new Promise<Buffer>((resolve) => first.once('session', resolve));
    const h2 = speakHttp2(first);
    await exchange(h2, asking('/empty'));
    const offered = await Promise.race([ticket, Promise.resolve(undefined)]);
    h2.destroy();
    if (offered === undefined) return;
    const second = await secured(port, offered);
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
  });

  it('refuses HTTP/1 and older TLS', async () => {
    const { port } = await serving();
    const old = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      maxVersion: 'TLSv1.2',
    });
    const [error] = await once(old, 'error');
    expect(error.code).toMatch(/PROTOCOL_VERSION/);
    const plain = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    plain.on('error', () => {});
    plain.write('GET / HTTP/1.1\r\n\r\n');
    plain.resume();
    await once(plain, 'close');
  });
});

describe('ratlsFetch', () => {
  it('fetches over one verified session, and verifies a new one after it was closed', async () => {
    const { port } = await serving();
    const fetch = ratlsFetch(asWorkload(port));
    const all = await Promise.all(['/a', '/b', '/c'].map((path) => fetch(path)));
    expect(all.map(({ status }) => status)).toEqual([201, 201, 201]);
    fetch.close();
    expect((await fetch('/d')).status).toBe(201);
    fetch.close();
  });

  it('sends no request to a peer that fails verification, and verifies it each time', async () => {
    const { port } = await serving();
    const fetch = ratlsFetch(trusting(port));
    for (let round = 0; round < 2; round += 1) {
      await expect(fetch('/a')).rejects.toMatchObject({ code: 'certificate-report-data' });
    }
    fetch.close();
  });

  it('verifies again when the peer has ended the session', async () => {
    await using box = await agentServer({ source: guestSource() });
    const fetch = ratlsFetch(trusting(box.port));
    expect((await fetch('/a')).status).toBe(200);
    box.drop();
    const ask = () =>
      fetch('/b').then(
        ({ status }) => status,
        ({ code }) => code,
      );
    await expect.poll(ask).toBe(200);
    fetch.close();
    expect(box.asked.filter((line) => line === 'POST /attest')).toHaveLength(box.connections());
    expect(box.connections()).toBeGreaterThan(1);
  });
});

describe('agentEvidence', () => {
  async function refusal(socketPath: string): Promise<RatlsError> {
    const error = await agentEvidence({ socketPath, timeout: 300 })
      .identity()
      .catch((cause: unknown) => cause);
    if (error instanceof RatlsError) return error;
    throw error;
  }

  it('reports that no agent listens', async () => {
    const error = await refusal(join(directory, 'nothing'));
    expect(error.code).toBe('agent-unusable');
    expect(error.message).toContain('ENOENT');
  });

  it.each([
    ['answers with an error', 403, '{"error":{"code":"no","message":"no"}}'],
    ['answers with other JSON', 200, '{"tee":"none"}'],
    ['answers with no JSON', 200, 'hello'],
  ])('refuses an agent that %s', async (_, status, text) => {
    const path = join(directory, 's');
    const server = createServer((_request, response) => {
      response.statusCode = status;
      response.end(text);
    });
    server.listen(path);
    await once(server, 'listening');
    expect((await refusal(path)).code).toBe('agent-unusable');
    server.close();
  });

  it('waits for an agent no longer than its timeout', async () => {
    const path = join(directory, 's');
    const server = createServer(() => {});
    server.listen(path);
    await once(server, 'listening');
    expect((await refusal(path)).code).toBe('agent-unusable');
    server.closeAllConnections();
    server.close();
  });

  it('refuses REPORT_DATA of other than 64 bytes', async () => {
    await expect(agentEvidence().evidence(new Uint8Array(63))).rejects.toThrow(RangeError);
  });
});
