import { createHash, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest } from '../oci/digest.ts';
import { openRegistry } from './open-registry.ts';
import type { Credentials, Registry } from './registry.ts';
import {
  type Answer,
  type FaultRegistry,
  serveBlob,
  startFaultRegistry,
} from './testing/fault-registry.ts';

const BLOB = randomBytes(500_000);
const DIGEST: Digest = `sha256:${createHash('sha256').update(BLOB).digest('hex')}`;
const DESCRIPTOR = { digest: DIGEST, size: BLOB.length };
const USER = { username: 'ci', password: 'open sesame' };

let servers: FaultRegistry[] = [];
let registry: Registry | undefined;
afterEach(async () => {
  await registry?.close();
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
});

async function start(answer: Answer): Promise<FaultRegistry> {
  const server = await startFaultRegistry(async (request, response, index) => {
    if (request.url === '/v2/') response.writeHead(200).end();
    else await answer(request, response, index);
  });
  servers.push(server);
  return server;
}

/** Opens a repository as the daemon does. */
function open(host: string, credentials?: Credentials) {
  registry = openRegistry({
    certsDirectories: [],
    registriesFiles: [],
    limits: { backoffMs: 1 },
  });
  return registry.repository(`${host}/team/app`, { access: 'push', credentials });
}

async function read(blob: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of blob) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* content(offset: number): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < BLOB.length; at += 65_536) yield BLOB.subarray(at, at + 65_536);
}

const blobRequests = (server: FaultRegistry) =>
  server.requests.filter(({ url }) => url.includes(DIGEST));

describe('a pull', () => {
  it('resumes a pull when its token expires meanwhile', async () => {
    let tokens = 0;
    let cuts = 0;
    const server = await start(async (request, response) => {
      if (request.url.startsWith('/token')) {
        tokens += 1;
        response.end(JSON.stringify({ token: `token-${tokens}`, expires_in: 3600 }));
        return;
      }
      const accepted = cuts === 0 ? 'Bearer token-1' : 'Bearer token-2';
      if (request.headers.authorization !== accepted) {
        const realm = `http://${request.headers.host}/token`;
        const challenge = `Bearer realm="${realm}",service="it",scope="repository:team/app:pull"`;
        response.writeHead(401, { 'www-authenticate': challenge }).end();
        return;
      }
      cuts += 1;
      await serveBlob(request, response, BLOB, cuts === 1 ? 200_000 : undefined);
    });
    const got = await read(open(server.host, USER).blob(DESCRIPTOR));
    expect(got.equals(BLOB)).toBe(true);
    expect(tokens).toBe(2);
    expect(blobRequests(server).at(-1)?.headers.range).toBe('bytes=200000-');
  });

  it('waits before it repeats a request as long as `Retry-After` says', async () => {
    const server = await start(async (request, response, index) => {
      if (index < 4) response.writeHead(429, { 'retry-after': '0' }).end();
      else await serveBlob(request, response, BLOB);
    });
    expect((await read(open(server.host).blob(DESCRIPTOR))).equals(BLOB)).toBe(true);
  });

  it('reports a registry that repeatedly demands too long a wait', async () => {
    const server = await start((_, response) => {
      response.writeHead(429, { 'retry-after': '86400' }).end();
    });
    await expect(read(open(server.host).blob(DESCRIPTOR))).rejects.toMatchObject({
      code: 'registry-rate-limited',
    });
  });

  it('follows a blob to another host without credentials, also after a cut', async () => {
    let cuts = 0;
    const storage = await start(async (request, response) => {
      cuts += 1;
      await serveBlob(request, response, BLOB, cuts === 1 ? 100_000 : undefined);
    });
    const server = await start((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="it"' }).end();
      } else {
        response.writeHead(307, { location: `http://${storage.host}/blobs/${DIGEST}` }).end();
      }
    });
    const got = await read(open(server.host, USER).blob(DESCRIPTOR));
    expect(got.equals(BLOB)).toBe(true);
    const asked = blobRequests(storage);
    expect(asked.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=100000-']);
    for (const { headers } of asked) expect(headers).not.toHaveProperty('authorization');
    expect(blobRequests(server).at(-1)?.headers.authorization).toMatch(/^Basic /);
  });

  it('verifies the bytes of a blob from another host', async () => {
    const other = Buffer.from(BLOB).fill(1);
    const storage = await start((request, response) => serveBlob(request, response, other));
    const server = await start((_, response) => {
      response.writeHead(307, { location: `http://${storage.host}/blobs/${DIGEST}` }).end();
    });
    await expect(read(open(server.host).blob(DESCRIPTOR))).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('its content has the digest'),
    });
  });

  it('leaves no connection open after an aborted pull', async () => {
    const server = await start((_, response) => {
      response.writeHead(200, { 'content-length': String(BLOB.length) });
      response.write(BLOB.subarray(0, 1000));
    });
    const aborting = new AbortController();
    open(server.host);
    const repository = registry?.repository(`${server.host}/team/app`, {
      access: 'pull',
      signal: aborting.signal,
    });
    const blob = repository?.blob(DESCRIPTOR)[Symbol.asyncIterator]();
    await blob?.next();
    const rest = expect(blob?.next()).rejects.toThrow('no longer wanted');
    aborting.abort(new Error('no longer wanted'));
    await rest;
    expect(blobRequests(server)).toHaveLength(1);
    // The connection of the first ping may stay open.
    await registry?.close();
    await server.idle();
  });
});

describe('a push', () => {
  it('pushes to another host without credentials', async () => {
    let stored: Buffer | undefined;
    const storage = await start(async (request, response) => {
      stored = await request.body();
      response.writeHead(201).end();
    });
    const server = await start((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="it"' }).end();
      } else if (request.method === 'HEAD') response.writeHead(404).end();
      else response.writeHead(202, { location: `http://${storage.host}/put?key=1` }).end();
    });
    expect(await open(server.host, USER).putBlob(DESCRIPTOR, content)).toBe('uploaded');
    expect(stored?.equals(BLOB)).toBe(true);
    const put = storage.requests.filter(({ method }) => method === 'PUT');
    expect(put).toHaveLength(1);
    expect(put[0]?.headers).not.toHaveProperty('authorization');
  });

  it('sends the body of a push again from its start after the registry demands credentials', async () => {
    let stored: Buffer | undefined;
    let refused = 0;
    const server = await start(async (request, response) => {
      const known = request.headers.authorization !== undefined;
      if (request.method === 'HEAD') response.writeHead(404).end();
      else if (request.method === 'POST') {
        response.writeHead(202, { location: '/v2/team/app/blobs/uploads/1' }).end();
      } else if (request.method === 'PUT' && !known) {
        refused += 1;
        await request.body();
        response.writeHead(401, { 'www-authenticate': 'Basic realm="it"' }).end();
      } else {
        stored = await request.body();
        response.writeHead(201).end();
      }
    });
    expect(await open(server.host, USER).putBlob(DESCRIPTOR, content)).toBe('uploaded');
    expect(stored?.equals(BLOB)).toBe(true);
    expect(refused).toBe(1);
  });

  it('resumes a push after a cut at the offset that the registry reports', async () => {
    let data = Buffer.alloc(0);
    let done = false;
    const server = await start(async (request, response) => {
      const head = {
        location: '/v2/team/app/blobs/uploads/1',
        range: `0-${Math.max(data.length - 1, 0)}`,
      };
      switch (request.method) {
        case 'HEAD':
          response.writeHead(done ? 200 : 404).end();
          break;
        case 'POST':
          response.writeHead(202, head).end();
          break;
        case 'GET':
          response.writeHead(204, head).end();
          break;
        case 'PATCH':
          data = Buffer.concat([data, await request.body()]);
          response.writeHead(202, { ...head, range: `0-${data.length - 1}` }).end();
          break;
        default: {
          const sent = await request.body();
          if (data.length === 0) {
            data = Buffer.from(sent.subarray(0, 123_456));
            response.destroy();
          } else {
            done = true;
            response.writeHead(201).end();
          }
        }
      }
    });
    expect(await open(server.host).putBlob(DESCRIPTOR, content)).toBe('uploaded');
    expect(data.equals(BLOB)).toBe(true);
    const patches = server.requests.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ headers }) => headers['content-range'])).toEqual(['123456-499999']);
  });
});
