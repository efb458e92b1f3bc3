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

/** Yields `first` at once, and `second` after `release`. */
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

it('sends an unfinished line to a follower after a moment', async () => {
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
  'sends a line in one frame when its rest is available at once, following: %s',
  async (follows) => {
    const { chunks, release } = inTwo('on', 'e\nrest');
    release();
    const frames = logFrames(chunks, follows);
    expect(await nextOf(frames)).toEqual([[1, 'one\n']]);
    expect(await nextOf(frames)).toEqual([[1, 'rest']]);
    expect(await nextOf(frames)).toBeUndefined();
  },
);

it('waits for the rest of a line when the log is not followed', async () => {
  const { chunks, release } = inTwo('on', 'e\n');
  const frames = logFrames(chunks, false);
  const line = nextOf(frames);
  await vi.advanceTimersByTimeAsync(60_000);
  release();
  expect(await line).toEqual([[1, 'one\n']]);
});

it('passes on read errors, and closes the log when its reader stops', async () => {
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
