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

describe('an upload in chunks', () => {
  it('gives up an upload when the registry keeps one byte of each chunk', async () => {
    const { answer } = memoryRegistry({
      'PUT 0': async (request, response) => {
        await request.body();
        response.writeHead(413).end();
      },
      PATCH: async (request, response) => {
        const start = Number(/^(\d+)-/.exec(String(request.headers['content-range']))?.[1]);
        await request.body();
        response.writeHead(202, { location: UPLOAD, range: `0-${start}` }).end();
      },
    });
    const pushing = (await repository(answer)).putBlob(descriptorOf(BLOB), source(BLOB).open);
    await expect(pushing).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('keeps parts of chunks again and again'),
    });
    expect(methods()?.filter((method) => method === 'PATCH')).toHaveLength(65);
  });
});

describe('a request that is too large', () => {
  const large = randomBytes(20 * 1024 * 1024 + 7);
  const atMost =
    (bytes: number): Answer =>
    async (request, response) => {
      if (Number(request.headers['content-length']) <= bytes) return;
      await request.body();
      response.writeHead(413, { connection: 'close' }).end();
    };
  const sizes = () =>
    registry?.requests
      .filter(({ method }) => method === 'PATCH')
      .map(({ headers }) => Number(headers['content-length']));

  it('uploads in smaller chunks after the registry refused a large request', async () => {
    const limit = atMost(5 * 1024 * 1024);
    const { answer, state } = memoryRegistry({ PUT: limit, PATCH: limit });
    const repo = await repository(answer);
    expect(await repo.putBlob(descriptorOf(large), source(large).open)).toBe('uploaded');
    expect(state.done?.equals(large)).toBe(true);
    const MiB4 = 4 * 1024 * 1024;
    expect(sizes()?.slice(-6)).toEqual([MiB4, MiB4, MiB4, MiB4, MiB4, 7]);
  });

  it('uploads in chunks of at least the size that the registry demands', async () => {
    const min = 6 * 1024 * 1024;
    const limit = atMost(18 * 1024 * 1024);
    const { answer, state } = memoryRegistry({
      PUT: limit,
      PATCH: limit,
      POST: (_, response) => {
        state.data = Buffer.alloc(0);
        response.writeHead(202, { location: UPLOAD, 'oci-chunk-min-length': String(min) }).end();
      },
    });
    const repo = await repository(answer);
    expect(await repo.putBlob(descriptorOf(large), source(large).open)).toBe('uploaded');
    expect(
      sizes()
        ?.slice(0, -1)
        .every((size) => size >= min),
    ).toBe(true);
  });

  it('reports a registry that refuses even the smallest chunks', async () => {
    const limit = atMost(1000);
    const { answer } = memoryRegistry({ PUT: limit, PATCH: limit });
    const repo = await repository(answer);
    await expect(repo.putBlob(descriptorOf(BLOB), source(BLOB).open)).rejects.toEqual(
      failed('it is too large'),
    );
  });
});
