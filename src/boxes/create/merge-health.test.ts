import { test as property } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { probeCommand } from '../health/health-probe.ts';
import type { HealthRequest } from './create-request.ts';
import { inertHealth, mergeHealth } from './merge-health.ts';

const SECOND = 1_000_000_000;
const NOTHING: HealthRequest = {
  ...{ test: [], interval: 0, timeout: 0 },
  ...{ startPeriod: 0, startInterval: 0, retries: 0 },
};
const IMAGE = {
  healthcheck: { ...NOTHING, test: ['CMD', 'probe'], interval: 5 * SECOND, retries: 7 },
};

describe('a health check', () => {
  it('merges no health check when neither image nor caller has one', () => {
    expect(mergeHealth(undefined, {})).toBeUndefined();
    expect(mergeHealth({ ...NOTHING, interval: SECOND }, {})).toBeUndefined();
  });

  it('fills in Docker’s defaults for a health check', () => {
    const check = mergeHealth({ ...NOTHING, test: ['CMD-SHELL', 'true'] }, {});
    expect(check).toEqual({
      test: ['CMD-SHELL', 'true'],
      interval: 30 * SECOND,
      timeout: 30 * SECOND,
      startPeriod: 0,
      startInterval: 5 * SECOND,
      retries: 3,
      asked: { Test: ['CMD-SHELL', 'true'] },
    });
    expect(check && probeCommand(check)).toEqual(['/bin/sh', '-c', 'true']);
  });

  it('takes health check fields from the image when the caller leaves them out', () => {
    expect(mergeHealth({ ...NOTHING, interval: SECOND }, IMAGE)).toMatchObject({
      ...{ test: ['CMD', 'probe'], interval: SECOND, retries: 7 },
      asked: { Test: ['CMD', 'probe'], Interval: SECOND, Retries: 7 },
    });
  });

  it('disables the health check by NONE of the caller or the image', () => {
    expect(mergeHealth({ ...NOTHING, test: ['NONE'] }, IMAGE)).toBeUndefined();
    const none = { healthcheck: { ...NOTHING, test: ['NONE'] } };
    expect(mergeHealth(undefined, none)).toBeUndefined();
    expect(mergeHealth({ ...NOTHING, test: ['CMD', 'x'] }, none)).toMatchObject({
      test: ['CMD', 'x'],
    });
  });

  it('shows a health check of unknown type, but never runs it, as in Docker', () => {
    for (const test of [['curl', 'x'], ['true']]) {
      const bare = { ...NOTHING, test, interval: SECOND };
      expect(mergeHealth(bare, IMAGE)).toBeUndefined();
      expect(inertHealth(bare, {})).toEqual({ Test: test, Interval: SECOND });
      expect(inertHealth(undefined, { healthcheck: bare })).toMatchObject({ Test: test });
    }
    expect(inertHealth({ ...NOTHING, test: ['NONE'] }, {})).toEqual({ Test: ['NONE'] });
    expect(inertHealth(undefined, IMAGE)).toBeUndefined();
    expect(inertHealth(undefined, {})).toBeUndefined();
  });

  it('runs a CMD-SHELL health check in the image’s own shell', () => {
    const check = mergeHealth({ ...NOTHING, test: ['CMD-SHELL', 'a b'] }, { shell: ['/sh', '-x'] });
    expect(check).toMatchObject({ asked: { Test: ['CMD-SHELL', 'a b'] } });
    expect(check && probeCommand(check)).toEqual(['/sh', '-x', 'a b']);
  });

  it.each<[string, Partial<HealthRequest>]>([
    ['Interval in Healthcheck cannot be less than 1ms', { interval: 999_999 }],
    ['Timeout in Healthcheck cannot be less than 1ms', { timeout: -1 }],
    ['StartPeriod in Healthcheck cannot be less than 1ms', { startPeriod: 1 }],
    ['StartInterval in Healthcheck cannot be less than 1ms', { startInterval: 0.5 }],
    ['Retries in Healthcheck cannot be negative', { retries: -1 }],
    ["A health check of the type 'CMD' needs a command", { test: ['CMD'] }],
    ["A health check of the type 'CMD-SHELL' needs a command", { test: ['CMD-SHELL', 'a', 'b'] }],
    [
      'The command of a health check has at most 131071 bytes, none 0',
      { test: ['CMD', 'x'.repeat(131_072)] },
    ],
  ])('refuses an invalid health check: %s', (message, wrong) => {
    const asked = { ...NOTHING, test: ['CMD', 'true'], ...wrong };
    const refusal = (code: string) => expect.objectContaining({ code, message });
    expect(() => mergeHealth(asked, {})).toThrow(refusal('invalid-argument'));
    expect(() => mergeHealth(undefined, { healthcheck: asked })).toThrow(refusal('invalid-image'));
  });

  const time = fc.oneof(fc.constant(0), fc.integer({ min: -10, max: Number.MAX_SAFE_INTEGER }));
  const request = fc.record({
    test: fc.array(fc.oneof(fc.constantFrom('CMD', 'CMD-SHELL', 'NONE'), fc.string())),
    ...{ interval: time, timeout: time, startPeriod: time, startInterval: time },
    retries: fc.integer(),
  });
  property.prop([fc.option(request, { nil: undefined }), fc.option(request, { nil: undefined })])(
    'builds a command and valid times for every accepted health check',
    (asked, healthcheck) => {
      let check: ReturnType<typeof mergeHealth>;
      try {
        check = mergeHealth(asked, { healthcheck });
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^invalid-/) });
        return;
      }
      if (check === undefined) return;
      expect(probeCommand(check).length).toBeGreaterThan(0);
      for (const value of [check.interval, check.timeout, check.startInterval]) {
        expect(value).toBeGreaterThanOrEqual(1_000_000);
      }
      expect(check.retries).toBeGreaterThanOrEqual(1);
    },
  );
});
