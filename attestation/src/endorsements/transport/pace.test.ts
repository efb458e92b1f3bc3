import { describe, expect, it } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { refusal } from '../testing/refusal.ts';
import { Pace } from './pace.ts';

const START = new Date('2026-03-01T12:00:00Z');
const MINUTE = 60_000;
const SIGNAL = new AbortController().signal;

function later(milliseconds: number): number {
  return START.getTime() + milliseconds;
}

describe('Pace', () => {
  it('grants the first turn at once, and each further turn after the spacing', async () => {
    const clock = new FakeClock(START);
    const pace = new Pace(clock, 10_000);
    const times: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      await pace.acquire(later(MINUTE), SIGNAL);
      times.push(clock.time - START.getTime());
    }
    expect(times).toEqual([0, 10_000, 20_000]);
  });

  it('grants a turn at once when the spacing has already passed', async () => {
    const clock = new FakeClock(START);
    const pace = new Pace(clock, 10_000);
    await pace.acquire(later(MINUTE), SIGNAL);
    clock.time += 30_000;
    await pace.acquire(later(MINUTE), SIGNAL);
    expect(clock.time).toBe(later(30_000));
  });

  it('refuses at once a turn that would come too late, and says when to try again', async () => {
    const clock = new FakeClock(START, [0, 10_000]);
    const pace = new Pace(clock, 10_000);
    const turns = [pace.acquire(later(15_000), SIGNAL), pace.acquire(later(15_000), SIGNAL)];
    const error = await refusal(() => pace.acquire(later(15_000), SIGNAL));
    expect(error.code).toBe('kds-rate-limited');
    expect(error.message).toContain('2026-03-01T12:00:20.000Z');
    expect(error.remedy).toContain('2026-03-01T12:00:20.000Z');
    clock.wake();
    await Promise.all(turns);
  });

  it('gives the turn of a refused caller to the next one', async () => {
    const clock = new FakeClock(START);
    const pace = new Pace(clock, 10_000);
    await pace.acquire(later(0), SIGNAL);
    await refusal(() => pace.acquire(later(0), SIGNAL));
    await pace.acquire(later(10_000), SIGNAL);
    expect(clock.time).toBe(later(10_000));
  });

  it('waits until the end of a pause before a turn', async () => {
    const clock = new FakeClock(START);
    const pace = new Pace(clock, 0);
    pace.hold(later(5_000));
    pace.hold(later(3_000));
    await pace.acquire(later(MINUTE), SIGNAL);
    expect(clock.time).toBe(later(5_000));
  });

  it('extends the wait for a turn when a pause begins meanwhile', async () => {
    const clock = new FakeClock(START, [10_000]);
    const pace = new Pace(clock, 10_000);
    await pace.acquire(later(MINUTE), SIGNAL);
    const turn = pace.acquire(later(MINUTE), SIGNAL);
    pace.hold(later(30_000));
    clock.time += 10_000;
    clock.wake();
    await turn;
    expect(clock.time).toBe(later(30_000));
  });

  it('releases the turn of a caller that stops waiting', async () => {
    const clock = new FakeClock(START, [10_000]);
    const pace = new Pace(clock, 10_000);
    await pace.acquire(later(MINUTE), SIGNAL);
    const abort = new AbortController();
    const turn = pace.acquire(later(MINUTE), abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(turn).rejects.toBe(reason);
    expect(clock.sleepers).toBe(0);
  });
});
