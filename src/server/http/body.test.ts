import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readJson, readStream } from './body.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A byte every second, without end. */
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

describe('a body', () => {
  it('that is a document has a time for all of it, however busy it looks', async () => {
    const reading = expect(readJson(drip())).rejects.toEqual(late);
    await vi.advanceTimersByTimeAsync(31_000);
    await reading;
  });

  it('that is a stream may take any time, and not be silent', async () => {
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
  ])('%s is refused', async (_name, chunks) => {
    const body = (async function* () {
      yield* chunks;
    })();
    await expect(readJson(body)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });

  it('takes an empty or blank body for no body', async () => {
    for (const chunks of [[], [Buffer.from(' \n')]]) {
      const body = (async function* () {
        yield* chunks;
      })();
      expect(await readJson(body)).toBeUndefined();
    }
  });
});
