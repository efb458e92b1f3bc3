import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readJson, readStream } from './body.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Yields a byte every second, without end. */
async function* drip(): AsyncGenerator<Uint8Array> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    yield Buffer.from(' ');
  }
}

async function* silence(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x');
  await new Promise(() => undefined);
}

const late = expect.objectContaining({
  code: 'invalid-argument',
  message: 'The request’s body did not arrive in time',
});

describe('a request body', () => {
  it('limits the total time of a JSON body, also when bytes keep arriving', async () => {
    const reading = expect(readJson(drip())).rejects.toEqual(late);
    await vi.advanceTimersByTimeAsync(31_000);
    await reading;
  });

  it('limits only the idle time of a streamed body', async () => {
    let bytes = 0;
    const reading = (async () => {
      for await (const chunk of readStream(drip())) {
        bytes += chunk.length;
        if (bytes === 300) return;
      }
    })();
    await vi.advanceTimersByTimeAsync(300_000);
    await reading;
    const silent = (async () => {
      for await (const _ of readStream(silence()));
    })();
    const given = expect(silent).rejects.toEqual(late);
    await vi.advanceTimersByTimeAsync(61_000);
    await given;
  });

  it.each([
    ['cut in a character', [Buffer.from([0x22, 0xe2, 0x82])]],
    ['no JSON', [Buffer.from('{"a":'), Buffer.from('}')]],
  ])('refuses a body that is %s', async (_name, chunks) => {
    const body = (async function* () {
      yield* chunks;
    })();
    await expect(readJson(body)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });

  it('treats an empty or blank body as none', async () => {
    for (const chunks of [[], [Buffer.from(' \n')]]) {
      const body = (async function* () {
        yield* chunks;
      })();
      expect(await readJson(body)).toBeUndefined();
    }
  });
});
