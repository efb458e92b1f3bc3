import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { A3sError } from '../../errors.ts';
import { CopyDeadline } from './copy-deadline.ts';

const TIMING = { idleMs: 60_000, leastRate: 1000, answerMs: 300_000 };
const BOTH = { source: true, reader: true };

let late: A3sError | undefined;
beforeEach(() => {
  late = undefined;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const deadline = (): CopyDeadline =>
  new CopyDeadline(TIMING, 'box', (error) => {
    late = error;
  });

/** A chunk of this many bytes after each pause, until nobody waits for more. */
async function* every(milliseconds: number, bytes: number): AsyncGenerator<Uint8Array> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    yield new Uint8Array(bytes);
  }
}

/** How long the copy goes on, up to an hour, in seconds. */
async function lasting(
  archive: AsyncIterable<Uint8Array>,
  counted: Parameters<CopyDeadline['paced']>[1],
  reads: () => Promise<void> = async () => undefined,
): Promise<number> {
  const copy = deadline();
  void (async () => {
    for await (const _ of copy.paced(archive, counted)) await reads();
  })();
  let seconds = 0;
  while (late === undefined && seconds < 3600) {
    await vi.advanceTimersByTimeAsync(1000);
    seconds += 1;
  }
  copy.end();
  return seconds;
}

it('ends an archive of which nothing moves, or a byte now and then', async () => {
  expect(await lasting(every(1e9, 1), BOTH)).toBe(60);
  expect(late).toMatchObject({ code: 'agent-timeout' });
  late = undefined;
  expect(await lasting(every(50_000, 1), BOTH)).toBeLessThan(62);
  late = undefined;
  // Half of the least rate: it lasts twice as long as nothing at all.
  expect(await lasting(every(1000, 500), BOTH)).toBeLessThan(125);
});

it('lets an archive stand still for as long as it may, again after it has moved', async () => {
  expect(await lasting(every(59_000, 60_000), BOTH)).toBe(3600);
  expect(await lasting(every(1000, 1000), BOTH)).toBe(3600);
});

it('counts no time of the one that is not waited for', async () => {
  const slow = every(600_000, 1);
  expect(await lasting(slow, { source: false, reader: true })).toBe(3600);
  const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 600_000));
  expect(await lasting(every(1, 1), { source: true, reader: false }, pause)).toBe(3600);
  expect(await lasting(every(1, 1), BOTH, pause)).toBeLessThan(62);
});

it('ends a copy where the guest does not answer before an archive or after it', async () => {
  const copy = deadline();
  await vi.advanceTimersByTimeAsync(299_000);
  expect(late).toBeUndefined();
  const [none] = [(async function* (): AsyncGenerator<Uint8Array> {})()];
  for await (const _ of copy.paced(none, BOTH)) throw new Error('a chunk');
  await vi.advanceTimersByTimeAsync(299_000);
  expect(late).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1000);
  expect(late).toMatchObject({ code: 'agent-timeout' });
});
