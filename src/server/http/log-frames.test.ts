import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LogChunk } from '../../boxes/logs/logs.ts';
import { framesIn } from '../testing/frames.ts';
import { logFrames } from './log-frames.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const chunk = (text: string): LogChunk => ({ stream: 1, bytes: Buffer.from(text) });

/** `first` at once, and `second` when it is said. */
function inTwo(first: string, second: string) {
  let release: () => void = () => undefined;
  const later = new Promise<void>((resolve) => {
    release = resolve;
  });
  let left = false;
  const chunks = (async function* () {
    try {
      yield chunk(first);
      await later;
      yield chunk(second);
    } finally {
      left = true;
    }
  })();
  return { chunks, release, left: () => left };
}

async function nextOf(frames: AsyncGenerator<Uint8Array>) {
  const { value } = await frames.next();
  return value === undefined ? undefined : framesIn(Buffer.from(value));
}

it('shows who follows a line that does not end, after a moment', async () => {
  const { chunks, release } = inTwo('one\nname? ', 'box\n');
  const frames = logFrames(chunks, true);
  expect(await nextOf(frames)).toEqual([[1, 'one\n']]);
  const question = nextOf(frames);
  await vi.advanceTimersByTimeAsync(100);
  expect(await question).toEqual([[1, 'name? ']]);
  release();
  expect(await nextOf(frames)).toEqual([[1, 'box\n']]);
  expect(await nextOf(frames)).toBeUndefined();
});

it.each([true, false])(
  'has a line in one frame whose rest is at hand, following: %s',
  async (follows) => {
    const { chunks, release } = inTwo('on', 'e\nrest');
    release();
    const frames = logFrames(chunks, follows);
    expect(await nextOf(frames)).toEqual([[1, 'one\n']]);
    expect(await nextOf(frames)).toEqual([[1, 'rest']]);
    expect(await nextOf(frames)).toBeUndefined();
  },
);

it('waits for the rest of a line where nobody follows', async () => {
  const { chunks, release } = inTwo('on', 'e\n');
  const frames = logFrames(chunks, false);
  const line = nextOf(frames);
  await vi.advanceTimersByTimeAsync(60_000);
  release();
  expect(await line).toEqual([[1, 'one\n']]);
});

it('tells what fails, and lets go of the log when nobody reads on', async () => {
  const failing = (async function* (): AsyncGenerator<LogChunk> {
    yield chunk('part');
    throw new Error('damaged');
  })();
  await expect(logFrames(failing, true).next()).rejects.toThrow('damaged');
  const { chunks, left } = inTwo('one\n', 'two\n');
  const frames = logFrames(chunks, true);
  await frames.next();
  await frames.return(undefined);
  expect(left()).toBe(true);
});
