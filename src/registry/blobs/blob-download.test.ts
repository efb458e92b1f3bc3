import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { blobSource, descriptorOf, failed } from '../testing/blob-source.ts';
import {
  type Answer,
  contentRange,
  rangeStart,
  sendAndCut,
  serveBlob,
} from '../testing/fault-registry.ts';

const SMALL = Buffer.from('every byte of this blob is a place where the connection may be cut');

const { current, pull, repository } = blobSource();

describe('a blob', () => {
  it('requests a blob uncompressed, by its digest', async () => {
    expect(await pull((request, response) => serveBlob(request, response, SMALL), SMALL)).toEqual(
      SMALL,
    );
    expect(current().requests).toMatchObject([
      {
        method: 'GET',
        url: `/v2/team/app/blobs/${descriptorOf(SMALL).digest}`,
        headers: { 'accept-encoding': 'identity' },
      },
    ]);
    expect(current().requests[0]?.headers).not.toHaveProperty('range');
  });

  it('downloads an empty blob', async () => {
    const empty = Buffer.alloc(0);
    expect(await pull((request, response) => serveBlob(request, response, empty), empty)).toEqual(
      empty,
    );
  });

  it('distinguishes a missing blob from a broken one', async () => {
    const absent = pull((_, response) => void response.writeHead(404).end(), SMALL);
    await expect(absent).rejects.toMatchObject({ code: 'not-in-registry' });
  });

  it('downloads several blobs in parallel', async () => {
    const blobs = Array.from({ length: 8 }, () => randomBytes(100_000));
    const byUrl = new Map(blobs.map((bytes) => [descriptorOf(bytes).digest as string, bytes]));
    const repo = await repository(async (request, response, index) => {
      const bytes = byUrl.get(request.url.split('/').at(-1) ?? '') ?? Buffer.alloc(0);
      await serveBlob(request, response, bytes, index < 8 ? 50_000 : undefined);
    });
    const read = blobs.map(async (bytes) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of repo.blob(descriptorOf(bytes))) chunks.push(chunk);
      return Buffer.concat(chunks).equals(bytes);
    });
    expect(await Promise.all(read)).toEqual(blobs.map(() => true));
  });
});

describe('a cut connection', () => {
  it('resumes a download that is cut at any byte', async () => {
    for (let cut = 0; cut < SMALL.length; cut += 1) {
      const got = await pull(
        (request, response, index) =>
          serveBlob(request, response, SMALL, index === 0 ? cut : undefined),
        SMALL,
      );
      expect(got).toEqual(SMALL);
      const asked = current().requests.map(({ headers }) => headers.range);
      expect(asked).toEqual([undefined, cut === 0 ? undefined : `bytes=${cut}-`]);
    }
  });

  it('completes a download that is cut again and again', async () => {
    const got = await pull((request, response) => {
      return serveBlob(request, response, SMALL, rangeStart(request) + 3);
    }, SMALL);
    expect(got).toEqual(SMALL);
  });

  const cuts = fc.array(fc.integer({ min: 0, max: 3_000_000 }), { maxLength: 12 });
  const large = randomBytes(3_000_000);
  it('resumes a download that is cut at any places, with ranges or without', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const property = fc.asyncProperty(cuts, fc.boolean(), async (places, ranges) => {
      const got = await pull(
        async (request, response, index) => {
          const cut = places[index];
          if (ranges || request.headers.range === undefined) {
            await serveBlob(request, response, large, cut);
          } else {
            await serveBlob({ ...request, headers: {} }, response, large, cut);
          }
        },
        large,
        { retryLimits: { attempts: 20 } },
      );
      expect(got.equals(large)).toBe(true);
    });
    await fuzz(property, 1);
  });

  it('gives up a download when every connection is cut without progress', async () => {
    const never = pull(async (request, response) => {
      await serveBlob(request, response, SMALL, Math.max(rangeStart(request), 10));
    }, SMALL);
    await expect(never).rejects.toEqual(failed('the connection was cut'));
    expect(current().requests).toHaveLength(7);
  });

  it('gives up a download that is cut after each single byte', async () => {
    const large = randomBytes(1_000_000);
    const drip = pull((request, response) => {
      return serveBlob(request, response, large, rangeStart(request) + 1);
    }, large);
    await expect(drip).rejects.toEqual(failed('the connection was cut'));
    expect(current().requests).toHaveLength(65);
  });

  it('throws the original error of a download that cannot be repeated', async () => {
    const gone = pull(async (request, response) => {
      await serveBlob(request, response, SMALL, 10);
      void current().stop();
    }, SMALL);
    await expect(gone).rejects.toMatchObject({ code: 'registry-unreachable' });
  });

  it('leaves a failure before any answer to the transport, which has already repeated it', async () => {
    const answer: Answer = (_, response) => void response.destroy();
    await expect(pull(answer, SMALL)).rejects.toMatchObject({ code: 'registry-unreachable' });
    expect(current().requests).toHaveLength(1);
  });

  it('resumes a download after a cut even if the registry sends the whole blob again', async () => {
    const got = await pull(async (request, response, index) => {
      await serveBlob({ ...request, headers: {} }, response, SMALL, index === 0 ? 7 : undefined);
    }, SMALL);
    expect(got).toEqual(SMALL);
    expect(current().requests[1]?.headers.range).toBe('bytes=7-');
  });

  it('resumes a download after a cut even if the registry refuses ranges', async () => {
    const got = await pull(async (request, response, index) => {
      if (request.headers.range !== undefined) response.writeHead(416).end();
      else await serveBlob(request, response, SMALL, index === 0 ? 7 : undefined);
    }, SMALL);
    expect(got).toEqual(SMALL);
  });

  it('distinguishes a cut of a body without a length from its end', async () => {
    const got = await pull((request, response, index) => {
      if (index > 0) return serveBlob(request, response, SMALL);
      response.writeHead(200).end(SMALL.subarray(0, 20));
      return undefined;
    }, SMALL);
    expect(got).toEqual(SMALL);
    expect(current().requests[1]?.headers.range).toBe('bytes=20-');
  });

  it('accepts a download that is cut after its last byte', async () => {
    const got = await pull(async (_, response) => {
      response.writeHead(200);
      await sendAndCut(response, SMALL);
    }, SMALL);
    expect(got).toEqual(SMALL);
    expect(current().requests).toHaveLength(1);
  });
});

describe('a refused blob', () => {
  const cutFirst =
    (then: (response: Parameters<Answer>[1]) => void): Answer =>
    async (request, response, index) => {
      if (index === 0) await serveBlob(request, response, SMALL, 10);
      else then(response);
    };

  it('refuses a blob with other bytes', async () => {
    const other = Buffer.from(SMALL).fill('x');
    const answer: Answer = (request, response) => serveBlob(request, response, other);
    await expect(pull(answer, SMALL)).rejects.toEqual(
      failed(`its content has the digest ${descriptorOf(other).digest}`),
    );
  });

  it('refuses a blob with other bytes on the second request', async () => {
    const other = Buffer.from(SMALL).fill('x');
    const answer: Answer = (request, response, index) =>
      serveBlob(request, response, index === 0 ? SMALL : other, index === 0 ? 10 : undefined);
    await expect(pull(answer, SMALL)).rejects.toEqual(failed('its content has the digest'));
  });

  it.each([
    ['shorter', SMALL.length - 1],
    ['longer', SMALL.length + 1],
  ])('refuses a blob with a %s length before it reads a byte', async (_, length) => {
    const answer: Answer = (_, response) => {
      response.writeHead(200, { 'content-length': String(length) }).flushHeaders();
    };
    await expect(pull(answer, SMALL)).rejects.toEqual(failed(`the registry sends ${length} bytes`));
    await current().idle();
  });

  it('refuses a blob whose body never ends at the first byte beyond its size', async () => {
    let sent = 0;
    const answer: Answer = async (_, response) => {
      response.writeHead(200);
      const more = Buffer.alloc(16 * 1024);
      while (!response.destroyed && sent < 1e9) {
        sent += more.length;
        await new Promise((resolve) => response.write(more, resolve));
      }
    };
    await expect(pull(answer, SMALL)).rejects.toEqual(failed('sends more than its 66 bytes'));
    await current().idle();
    expect(sent).toBeLessThan(1e9);
  });

  it.each(['gzip', 'GZIP', 'zstd', 'br', 'gzip, identity'])(
    'refuses a blob in the encoding %s, which was not requested',
    async (encoding) => {
      const answer: Answer = (_, response) =>
        void response.writeHead(200, { 'content-encoding': encoding }).end(gzipSync(SMALL));
      await expect(pull(answer, SMALL)).rejects.toEqual(failed('which was not asked for'));
    },
  );

  it.each([
    ['none at all', undefined],
    ['an earlier start', contentRange(9, SMALL.length)],
    ['a later start', contentRange(11, SMALL.length)],
    ['an earlier end', `bytes 10-20/${SMALL.length}`],
    ['another size', `bytes 10-${SMALL.length - 1}/${SMALL.length + 1}`],
    ['another unit', `octets 10-${SMALL.length - 1}/${SMALL.length}`],
    ['a malformed number', `bytes 1e1-${SMALL.length - 1}/${SMALL.length}`],
    ['two ranges', `bytes 10-${SMALL.length - 1}/${SMALL.length}, bytes 0-1/2`],
  ])('refuses the rest of a blob with a Content-Range of %s', async (_, range) => {
    const answer = cutFirst((response) => {
      response.writeHead(206, range === undefined ? {} : { 'content-range': range });
      response.end(SMALL.subarray(10));
    });
    await expect(pull(answer, SMALL)).rejects.toEqual(failed('instead of "bytes 10-65/66"'));
  });

  it('refuses the rest of a blob with another length than its Content-Range', async () => {
    const answer = cutFirst((response) => {
      const range = contentRange(10, SMALL.length);
      response.writeHead(206, { 'content-range': range, 'content-length': '3' }).end('abc');
    });
    await expect(pull(answer, SMALL)).rejects.toEqual(failed('the registry sends 3 bytes'));
  });

  it('refuses a 416 with another size of the blob', async () => {
    const answer = cutFirst((response) => {
      response.writeHead(416, { 'content-range': 'bytes */10' }).end();
    });
    await expect(pull(answer, SMALL)).rejects.toEqual(failed('says it has 10 bytes'));
  });

  it('refuses a part of a blob that was not requested', async () => {
    const answer: Answer = (_, response) => {
      response.writeHead(206, { 'content-range': contentRange(0, SMALL.length) }).end(SMALL);
    };
    await expect(pull(answer, SMALL)).rejects.toEqual(failed('all of it was asked for'));
  });
});

describe('a slow registry', () => {
  it('requests the rest after an answer that stalls', async () => {
    const answer: Answer = (request, response, index) => {
      if (index > 0) return serveBlob(request, response, SMALL);
      response.writeHead(200, { 'content-length': String(SMALL.length) });
      response.write(SMALL.subarray(0, 20));
      return undefined;
    };
    expect(await pull(answer, SMALL, { retryLimits: { stallMs: 50 } })).toEqual(SMALL);
    expect(current().requests[1]?.headers.range).toBe('bytes=20-');
  });

  it('gives up a registry that sends a few bytes at a time', async () => {
    const large = randomBytes(200_000);
    const answer: Answer = async (request, response) => {
      const start = rangeStart(request);
      const head = start === 0 ? {} : { 'content-range': contentRange(start, large.length) };
      response.writeHead(start === 0 ? 200 : 206, head);
      for (let at = start; !response.destroyed && at < large.length; at += 1) {
        response.write(large.subarray(at, at + 1));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const drip = pull(answer, large, { retryLimits: { stallMs: 30 } });
    await expect(drip).rejects.toEqual(failed('fewer than 16384 bytes came in 0.03 seconds'));
    expect(current().requests).toHaveLength(3);
  });

  it('requests the rest as often as an answer stalls after a MiB', async () => {
    const mib = 1024 * 1024;
    const large = randomBytes(6 * mib);
    const answer: Answer = (request, response) => {
      const start = rangeStart(request);
      const head = start === 0 ? {} : { 'content-range': contentRange(start, large.length) };
      response.writeHead(start === 0 ? 200 : 206, head);
      const end = start + mib;
      response.write(large.subarray(start, end));
      if (end === large.length) response.end();
    };
    const whole = await pull(answer, large, { retryLimits: { stallMs: 300 } });
    expect(whole.equals(large)).toBe(true);
    expect(current().requests).toHaveLength(6);
  });

  it('does not time out on a slow reader of a blob', async () => {
    const large = randomBytes(2_000_000);
    const repo = await repository((request, response) => serveBlob(request, response, large), {
      retryLimits: { stallMs: 100, attempts: 1 },
    });
    let length = 0;
    for await (const chunk of repo.blob(descriptorOf(large))) {
      if (length === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      length += chunk.length;
    }
    expect(length).toBe(large.length);
  });
});

describe('a reader', () => {
  it('applies backpressure to the registry while the reader waits, so that memory stays flat', async () => {
    const size = 64 * 1024 * 1024;
    const bytes = Buffer.alloc(size, 7);
    let sent = 0;
    const answer: Answer = async (_, response) => {
      response.writeHead(200, { 'content-length': String(size) });
      while (!response.destroyed && sent < size) {
        const part = bytes.subarray(sent, sent + 64 * 1024);
        const flushed = new Promise((resolve) => response.write(part, resolve));
        await flushed;
        sent += part.length;
      }
    };
    const blob = (await repository(answer)).blob(descriptorOf(bytes))[Symbol.asyncIterator]();
    await blob.next();
    // Waits until the buffers of both ends are full.
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(size / 2);
    await blob.return?.();
  });

  it('closes the connection when the reader stops', async () => {
    const repo = await repository((_, response) => {
      response.writeHead(200, { 'content-length': String(SMALL.length) }).write('every');
    });
    for await (const _ of repo.blob(descriptorOf(SMALL))) break;
    await current().idle();
  });

  it('closes the connection of an aborted download, and does not try again', async () => {
    const aborting = new AbortController();
    const answer: Answer = (_, response) => {
      response.writeHead(200, { 'content-length': String(SMALL.length) }).write('every');
    };
    const repo = await repository(answer, { signal: aborting.signal });
    const blob = repo.blob(descriptorOf(SMALL))[Symbol.asyncIterator]();
    await blob.next();
    const rest = expect(blob.next()).rejects.toThrow('no longer wanted');
    aborting.abort(new Error('no longer wanted'));
    await rest;
    await current().idle();
    expect(current().requests).toHaveLength(1);
  });

  it('does not wait for the next attempt after an abort', async () => {
    const aborting = new AbortController();
    const answer: Answer = (request, response) => serveBlob(request, response, SMALL, 0);
    const pulling = pull(answer, SMALL, {
      signal: aborting.signal,
      retryLimits: { backoffMs: 1_000_000 },
    });
    const refused = expect(pulling).rejects.toMatchObject({ name: 'AbortError' });
    await vi.waitFor(() => expect(current().requests).toHaveLength(1));
    aborting.abort();
    await refused;
  });
});
