import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Repository } from '../registry.ts';
import { openRepository } from '../repository.ts';
import { descriptorOf, failed } from '../testing/blob-source.ts';
import { type Answer, type FaultRegistry, startFaultRegistry } from '../testing/fault-registry.ts';
import { memoryRegistry, UPLOAD } from '../testing/memory-registry.ts';
import { type PlainTransport, plainTransport } from '../testing/plain-transport.ts';

const BLOB = randomBytes(300_000);

let registry: FaultRegistry | undefined;
let transport: PlainTransport | undefined;
afterEach(async () => {
  await transport?.close();
  await registry?.stop();
});

async function repository(answer: Answer): Promise<Repository> {
  registry = await startFaultRegistry(answer);
  transport = plainTransport(registry.host);
  return openRepository(transport, `${registry.host}/team/app`, {
    access: 'push',
    retryLimits: { backoffMs: 1 },
  });
}

/** A source of the blob in small pieces, which records the offsets where it was opened. */
function source(bytes: Buffer) {
  const opened: number[] = [];
  async function* open(offset: number): AsyncGenerator<Uint8Array> {
    opened.push(offset);
    for (let at = offset; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  }
  return { opened, open };
}

const methods = () => registry?.requests.map(({ method }) => method);

describe('a blob to be pushed', () => {
  it('does not send a blob that the registry has', async () => {
    const repo = await repository((_, response) => void response.writeHead(200).end());
    const { open, opened } = source(BLOB);
    expect(await repo.putBlob(descriptorOf(BLOB), open)).toBe('there');
    expect(opened).toEqual([]);
    expect(methods()).toEqual(['HEAD']);
  });

  it('sends a blob that the registry has with another length', async () => {
    const { answer, state } = memoryRegistry({
      'HEAD 0': (_, response) => void response.writeHead(200, { 'content-length': '3' }).end(),
    });
    const repo = await repository(answer);
    expect(await repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).toBe('uploaded');
    expect(state.done?.equals(BLOB)).toBe(true);
  });

  it('uploads a blob in one request to the location of the registry with its query unchanged', async () => {
    const { answer, state } = memoryRegistry();
    const repo = await repository(answer);
    const progress: number[] = [];
    const onProgress = (sent: number): void => void progress.push(sent);
    expect(await repo.putBlob(descriptorOf(BLOB), source(BLOB).open, { onProgress })).toBe(
      'uploaded',
    );
    expect(state.done?.equals(BLOB)).toBe(true);
    expect(methods()).toEqual(['HEAD', 'POST', 'PUT']);
    const digest = encodeURIComponent(descriptorOf(BLOB).digest);
    expect(registry?.requests[2]).toMatchObject({
      url: `${UPLOAD}&digest=${digest}`,
      headers: {
        'content-length': String(BLOB.length),
        'content-type': 'application/octet-stream',
      },
    });
    expect(progress.at(-1)).toBe(BLOB.length);
  });

  it('uploads an empty blob', async () => {
    const { answer, state } = memoryRegistry();
    const repo = await repository(answer);
    const empty = Buffer.alloc(0);
    expect(await repo.putBlob(descriptorOf(empty), source(empty).open)).toBe('uploaded');
    expect(state.done).toEqual(empty);
  });

  it('uploads a blob to another host that the registry names', async () => {
    const other = memoryRegistry();
    const storage = await startFaultRegistry(other.answer);
    const { answer } = memoryRegistry({
      POST: (_, response) =>
        void response.writeHead(202, { location: `http://${storage.host}/put` }).end(),
    });
    const repo = await repository(answer);
    await repo.putBlob(descriptorOf(BLOB), source(BLOB).open);
    expect(storage.requests).toMatchObject([{ method: 'PUT' }]);
    expect(storage.requests[0]?.url).toMatch(/^\/put\?digest=sha256/);
    expect(other.state.done?.equals(BLOB)).toBe(true);
    await storage.stop();
  });

  it.each([
    ['missing', undefined],
    ['a file URL', 'file:///etc/passwd'],
    ['a URL with a password', 'http://a:b@127.0.0.1/'],
    ['malformed', 'http://['],
    ['too long', `/${'x'.repeat(9000)}`],
  ])('refuses to upload a blob to a location that is %s', async (_, location) => {
    const repo = await repository((request, response) => {
      if (request.method === 'HEAD') response.writeHead(404).end();
      else response.writeHead(202, location === undefined ? {} : { location }).end();
    });
    await expect(repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).rejects.toMatchObject({
      code: 'registry-failed',
    });
    expect(methods()).toEqual(['HEAD', 'POST']);
  });

  it('reports content that the registry stored under another digest', async () => {
    const { answer } = memoryRegistry({
      PUT: async (request, response) => {
        await request.body();
        const digest = descriptorOf(Buffer.alloc(1)).digest;
        response.writeHead(201, { 'docker-content-digest': digest }).end();
      },
    });
    const repo = await repository(answer);
    await expect(repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).rejects.toEqual(
      failed('the registry says its digest is'),
    );
  });

  it('reports a blob that is shorter than its descriptor, and does not try again', async () => {
    const repo = await repository(memoryRegistry().answer);
    const short = source(BLOB.subarray(0, 1000));
    await expect(repo.putBlob(descriptorOf(BLOB), short.open)).rejects.toMatchObject({
      code: 'state-unusable',
      message: expect.stringContaining('it ends after 1000 of 300000 bytes'),
    });
    expect(short.opened).toEqual([0]);
  });

  it('reports why the source of an upload cannot be read', async () => {
    const repo = await repository(memoryRegistry().answer);
    // biome-ignore lint/correctness/useYield: it has nothing to yield
    const open = async function* (): AsyncGenerator<Uint8Array> {
      throw new Error('the disk is on fire');
    };
    await expect(repo.putBlob(descriptorOf(BLOB), open)).rejects.toThrow('the disk is on fire');
  });
});

describe('an interrupted upload', () => {
  /** Reads and keeps `bytes` of a body, then cuts the connection. */
  const keepAndCut =
    (state: { data: Buffer }, bytes: number): Answer =>
    async (request, response) => {
      const body = await request.body();
      state.data = Buffer.concat([state.data, body.subarray(0, bytes)]);
      response.destroy();
    };

  it.each([2, 4096, 299_999, 300_000])(
    'resumes an upload that is cut after %i bytes',
    async (kept) => {
      const disturb: Record<string, Answer> = {};
      const { answer, state } = memoryRegistry(disturb);
      disturb['PUT 0'] = keepAndCut(state, kept);
      const repo = await repository(answer);
      const { open, opened } = source(BLOB);
      expect(await repo.putBlob(descriptorOf(BLOB), open)).toBe('uploaded');
      expect(state.done?.equals(BLOB)).toBe(true);
      expect(state.uploads).toBe(1);
      expect(opened).toEqual(kept === BLOB.length ? [0] : [0, kept]);
      const patch = registry?.requests.find(({ method }) => method === 'PATCH');
      if (kept < BLOB.length) {
        expect(patch?.headers).toMatchObject({
          'content-range': `${kept}-299999`,
          'content-length': String(BLOB.length - kept),
        });
      }
    },
  );

  it.each([0, 1])(
    'restarts an upload that is cut after %i bytes, since registries report 0-0 for both',
    async (kept) => {
      const disturb: Record<string, Answer> = {};
      const { answer, state } = memoryRegistry(disturb);
      disturb['PUT 0'] = keepAndCut(state, kept);
      const repo = await repository(answer);
      expect(await repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).toBe('uploaded');
      expect(state.done?.equals(BLOB)).toBe(true);
      expect(state.uploads).toBe(2);
    },
  );

  it('finds an upload complete when only its answer was cut', async () => {
    const disturb: Record<string, Answer> = {};
    const { answer, state } = memoryRegistry(disturb);
    disturb['PUT 0'] = async (request, response) => {
      state.done = await request.body();
      response.destroy();
    };
    const repo = await repository(answer);
    expect(await repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).toBe('uploaded');
    expect(methods()?.filter((method) => method === 'PUT')).toHaveLength(1);
  });

  it('restarts an upload that the registry has forgotten', async () => {
    const disturb: Record<string, Answer> = {};
    const { answer, state } = memoryRegistry(disturb);
    disturb['PUT 0'] = keepAndCut(state, 5000);
    disturb['GET 0'] = (_, response) => void response.writeHead(404).end();
    const repo = await repository(answer);
    expect(await repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).toBe('uploaded');
    expect(state.done?.equals(BLOB)).toBe(true);
    expect(state.uploads).toBe(2);
  });

  it('restarts an upload that the registry resumed at a wrong byte', async () => {
    const disturb: Record<string, Answer> = {};
    const { answer, state } = memoryRegistry(disturb);
    disturb['PUT 0'] = keepAndCut(state, 5000);
    disturb['PUT 1'] = (_, response) => void response.writeHead(400).end();
    const repo = await repository(answer);
    expect(await repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).toBe('uploaded');
    expect(state.done?.equals(BLOB)).toBe(true);
    expect(state.uploads).toBe(2);
  });

  it.each(['POST 0', 'PUT 0'])(
    'resumes an upload after a failure of the registry at %s',
    async (where) => {
      const disturb: Record<string, Answer> = {};
      const { answer, state } = memoryRegistry(disturb);
      disturb[where] = async (request, response) => {
        state.data = Buffer.concat([state.data, (await request.body()).subarray(0, 5000)]);
        response.writeHead(503).end();
      };
      const repo = await repository(answer);
      expect(await repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).toBe('uploaded');
      expect(state.done?.equals(BLOB)).toBe(true);
      expect(state.uploads).toBe(1);
    },
  );

  it('gives up an upload that is cut again and again', async () => {
    const disturb: Record<string, Answer> = {};
    const { answer, state } = memoryRegistry(disturb);
    disturb['PUT'] = keepAndCut(state, 0);
    disturb['PATCH'] = keepAndCut(state, 0);
    const repo = await repository(answer);
    await expect(repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).rejects.toMatchObject({
      code: 'registry-unreachable',
    });
    expect(methods()?.filter((method) => method === 'PUT' || method === 'PATCH')).toHaveLength(6);
  });

  it('refuses a registry that claims more bytes of an upload than were sent', async () => {
    const disturb: Record<string, Answer> = {};
    const { answer, state } = memoryRegistry(disturb);
    disturb['PUT 0'] = keepAndCut(state, 5000);
    disturb['GET 0'] = (_, response) => void response.writeHead(204, { range: '0-300000' }).end();
    const repo = await repository(answer);
    await expect(repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).rejects.toEqual(
      failed('the registry has 300001 bytes of an upload of 300000'),
    );
  });

  it.each([['bytes 0-7'], ['7-8'], ['0-x'], ['0-1e3']])(
    'refuses a registry that reports the upload range %s',
    async (range) => {
      const disturb: Record<string, Answer> = {};
      const { answer, state } = memoryRegistry(disturb);
      disturb['PUT 0'] = keepAndCut(state, 5000);
      disturb['GET 0'] = (_, response) => void response.writeHead(204, { range }).end();
      const repo = await repository(answer);
      await expect(repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).rejects.toEqual(
        failed('says that it has'),
      );
    },
  );

  it('resumes an upload from what the registry has of a chunk', async () => {
    const disturb: Record<string, Answer> = {};
    const { answer, state } = memoryRegistry(disturb);
    disturb['PUT 0'] = keepAndCut(state, 5000);
    disturb['PATCH 0'] = async (request, response) => {
      state.data = Buffer.concat([state.data, (await request.body()).subarray(0, 10)]);
      response.writeHead(202, { range: `0-${state.data.length - 1}`, location: UPLOAD }).end();
    };
    const repo = await repository(answer);
    await repo.putBlob(descriptorOf(BLOB), source(BLOB).open);
    expect(state.done?.equals(BLOB)).toBe(true);
  });
});

describe('a blob of another repository', () => {
  const mount = (answers: Readonly<Record<string, number>>): Answer => {
    const memory = memoryRegistry();
    return async (request, response, index) => {
      const from = new URL(request.url, 'http://x').searchParams.get('from');
      const status = answers[from ?? ''];
      if (status === undefined) await memory.answer(request, response, index);
      else response.writeHead(status, { location: UPLOAD }).end();
    };
  };
  const put = async (answer: Answer, from: readonly string[]) => {
    const repo = await repository(answer);
    const mountFrom = from.map((path) => `${registry?.host}/${path}`);
    return await repo.putBlob(descriptorOf(BLOB), source(BLOB).open, {
      mountFrom: [...mountFrom, 'elsewhere.example/base'],
    });
  };

  it('mounts a blob of another repository', async () => {
    expect(await put(mount({ base: 201 }), ['base'])).toBe('mounted');
    expect(methods()).toEqual(['HEAD', 'POST']);
    const digest = encodeURIComponent(descriptorOf(BLOB).digest);
    expect(registry?.requests[1]?.url).toBe(
      `/v2/team/app/blobs/uploads/?mount=${digest}&from=base`,
    );
  });

  it('tries to mount from each repository in turn, and cancels uploads that were started instead', async () => {
    expect(await put(mount({ a: 202, b: 404, c: 201 }), ['team/app', 'a', 'b', 'c'])).toBe(
      'mounted',
    );
    expect(methods()).toEqual(['HEAD', 'POST', 'DELETE', 'POST', 'POST']);
  });

  it('uses the upload that was started instead of a mount', async () => {
    expect(await put(mount({ a: 202 }), ['a'])).toBe('uploaded');
    expect(methods()).toEqual(['HEAD', 'POST', 'PUT']);
  });

  it.each([401, 403, 404, 405])(
    'uploads a blob where mounting is answered with %i',
    async (status) => {
      expect(await put(mount({ a: status }), ['a'])).toBe('uploaded');
      expect(methods()).toEqual(['HEAD', 'POST', 'POST', 'PUT']);
    },
  );
});
