import { describe, expect, it } from 'vitest';
import type { HealthCheck, HealthState } from '../record/box.ts';
import { firstHealth, healthAfter, pauseBefore } from './health-state.ts';

const SECOND = 1_000_000_000;
const CHECK: HealthCheck = {
  test: ['CMD', 'probe'],
  ...{ interval: 30 * SECOND, timeout: SECOND, startPeriod: 60 * SECOND },
  ...{ startInterval: 5 * SECOND, retries: 2, asked: {} },
};
const STARTED = Date.parse('2026-01-01T00:00:00Z');

function probe(exitCode: number, second: number): HealthState['log'][number] {
  const at = new Date(STARTED + second * 1000).toISOString();
  return { start: at, end: at, exitCode, output: String(second) };
}

/**
 * The state after probes with these exit codes: the first one `first` seconds after the start, then
 * one a second.
 */
function health(codes: readonly number[], first = 100, check = CHECK): HealthState {
  const begin = firstHealth({ health: check });
  if (begin === undefined) throw new Error('nothing is checked');
  return codes.reduce(
    (state, code, index) => healthAfter(check, state, probe(code, first + index), STARTED),
    begin,
  );
}

describe('the health of a box', () => {
  it('gives no health state to a box without a health check', () => {
    expect(firstHealth({})).toBeUndefined();
  });

  it.each<[string, number[], HealthState['status'], number]>([
    ['begins as starting', [], 'starting', 0],
    ['is healthy after one success', [0], 'healthy', 0],
    ['is still starting after one failure of two', [1], 'starting', 1],
    ['is unhealthy after two failures in a row', [1, 1], 'unhealthy', 2],
    ['stays healthy between single failures', [0, 1, 0, 1], 'healthy', 1],
    ['becomes unhealthy again', [0, 1, -1], 'unhealthy', 2],
    ['is healthy again after one success', [1, 1, 1, 0], 'healthy', 0],
  ])('a box with a health check %s', (_, codes, status, failingStreak) => {
    expect(health(codes)).toMatchObject({ status, failingStreak });
  });

  it('ignores failures during the start period until the first success', () => {
    expect(health([1, 1, 1], 10)).toMatchObject({ status: 'starting', failingStreak: 0 });
    expect(health([0, 1, 1], 10)).toMatchObject({ status: 'unhealthy', failingStreak: 2 });
    // The second probe comes after the start period.
    expect(health([1, 1, 1], 59)).toMatchObject({ status: 'unhealthy', failingStreak: 2 });
  });

  it('keeps the last five probes', () => {
    const { log } = health([1, 0, 1, 0, 1, 0, 1]);
    expect(log.map(({ output }) => output)).toEqual(['102', '103', '104', '105', '106']);
  });
});

describe('the pause before a probe', () => {
  it.each([
    ['starting', 0, 5000],
    ['starting', 59_999, 5000],
    ['starting', 60_000, 30_000],
    ['healthy', 0, 30_000],
    ['unhealthy', 0, 30_000],
  ] as const)(
    'waits before the next probe of a %s box after %i ms for %i ms',
    (status, after, pause) => {
      expect(pauseBefore(CHECK, { status }, STARTED, STARTED + after)).toBe(pause);
    },
  );

  it('limits the pause before a probe to what a timer supports', () => {
    const check = { ...CHECK, startPeriod: 0 };
    const state = { status: 'healthy' } as const;
    const pause = (interval: number) => pauseBefore({ ...check, interval }, state, 0, 0);
    expect(pause(Number.MAX_SAFE_INTEGER)).toBeLessThan(2 ** 31);
    expect(pause(1)).toBe(1);
  });
});
