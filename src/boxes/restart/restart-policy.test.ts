import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RestartPolicy } from '../record/box.ts';
import { type EndedRun, restartAfter, restartsAfterReboot } from './restart-policy.ts';

const run: EndedRun = {
  ...{ exitCode: 1, stopRequested: false, ranMs: 50 },
  ...{ restartCount: 0, delayMs: undefined },
};
const policy = (name: RestartPolicy['name'], maximumRetryCount = 0): RestartPolicy => ({
  name,
  maximumRetryCount,
});

const anyRun = fc.record({
  exitCode: fc.integer({ min: 0, max: 255 }),
  stopRequested: fc.boolean(),
  ranMs: fc.nat(1_000_000),
  restartCount: fc.nat(1000),
  delayMs: fc.option(fc.nat(60_000), { nil: undefined }),
});
const anyPolicy = fc.record({
  name: fc.constantFrom('no', 'on-failure', 'always', 'unless-stopped' as const),
  maximumRetryCount: fc.nat(10),
});

describe('the end of a run', () => {
  it.each([
    ['no', 1, undefined],
    ['always', 0, 100],
    ['always', 1, 100],
    ['unless-stopped', 0, 100],
    ['on-failure', 0, undefined],
    ['on-failure', 1, 100],
  ] as const)(
    'restarts under the policy %s after exit code %i in %s ms',
    (name, exitCode, delayMs) => {
      expect(restartAfter(policy(name), { ...run, exitCode })?.delayMs).toBe(delayMs);
    },
  );

  it('doubles the pause before a restart up to a minute, and resets it after ten seconds of running', () => {
    const pauses: number[] = [];
    let next: number | undefined;
    for (let i = 0; i < 12; i += 1) {
      next = restartAfter(policy('always'), { ...run, delayMs: next })?.delayMs;
      pauses.push(next ?? -1);
    }
    expect(pauses.slice(0, 5)).toEqual([100, 200, 400, 800, 1600]);
    expect(pauses.slice(-2)).toEqual([60_000, 60_000]);
    const long = { ...run, delayMs: 60_000, ranMs: 10_000 };
    expect(restartAfter(policy('always'), long)?.delayMs).toBe(100);
    expect(restartAfter(policy('always'), { ...long, ranMs: 9999 })?.delayMs).toBe(60_000);
  });

  it('allows two restarts under on-failure:2', () => {
    const restart = (restartCount: number) =>
      restartAfter(policy('on-failure', 2), { ...run, restartCount })?.restartCount;
    expect([restart(0), restart(1), restart(2)]).toEqual([1, 2, undefined]);
  });

  property.prop([anyPolicy, anyRun])('never restarts a box that a user stopped', (any, ended) => {
    expect(restartAfter(any, { ...ended, stopRequested: true })).toBeUndefined();
  });

  property.prop([anyPolicy, anyRun])(
    'keeps the pause before a restart within its bounds',
    (any, ended) => {
      const restart = restartAfter(any, ended);
      if (restart === undefined) return;
      expect(restart.delayMs).toBeGreaterThanOrEqual(1);
      expect(restart.delayMs).toBeLessThanOrEqual(60_000);
      expect(restart.restartCount).toBe(ended.restartCount + 1);
    },
  );

  property.prop([fc.nat(20), anyRun])(
    'never exceeds the number of restarts of on-failure:n',
    (most, ended) => {
      const restart = restartAfter(policy('on-failure', most + 1), ended);
      if (restart !== undefined) expect(restart.restartCount).toBeLessThanOrEqual(most + 1);
    },
  );
});

describe('a reboot of the host', () => {
  it.each([
    ['always', false, true],
    ['always', true, true],
    ['unless-stopped', false, true],
    ['unless-stopped', true, false],
    ['on-failure', false, false],
    ['no', false, false],
  ] as const)(
    'restores after a reboot under the policy %s, stopped by a user %s: %s',
    (name, stopped, expected) => {
      const state = { started: true, stopRequested: stopped };
      expect(restartsAfterReboot(policy(name), state)).toBe(expected);
      expect(restartsAfterReboot(policy(name), { ...state, started: false })).toBe(false);
    },
  );
});
