import { expect, it } from 'vitest';
import { type Clock, Pace } from './pace.ts';

/** A clock that advances only during sleeps, or when `time` is set. */
class TestClock implements Clock {
  time = 0;
  slept = 0;

  now(): number {
    return this.time;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.time += milliseconds;
    this.slept += milliseconds;
  }
}

const never = new AbortController().signal;

it('allows a burst at once, then the configured rate', async () => {
  const clock = new TestClock();
  const pace = new Pace({ burst: 4, perSecond: 10 }, clock);
  for (let n = 0; n < 4; n++) await pace.take(never);
  expect(clock.slept).toBe(0);
  for (let n = 0; n < 20; n++) await pace.take(never);
  expect(clock.slept).toBe(2000);
});

it('saves up no more than one burst', async () => {
  const clock = new TestClock();
  const pace = new Pace({ burst: 2, perSecond: 1 }, clock);
  clock.time = 1_000_000;
  for (let n = 0; n < 3; n++) await pace.take(never);
  expect(clock.slept).toBe(1000);
});

it('stops waiting for its turn when the signal is aborted', async () => {
  const pace = new Pace({ burst: 1, perSecond: 0.001 });
  await pace.take(never);
  const stop = new AbortController();
  const waiting = pace.take(stop.signal);
  stop.abort();
  await expect(waiting).rejects.toThrow();
});
