import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { parseByteRate, parseOperationRate } from './device-rate.ts';
import { parseExpose } from './expose.ts';
import { parseGoDuration } from './go-duration.ts';
import { parseRestartPolicy } from './restart-policy.ts';
import { parseUlimit, ULIMIT_NAMES } from './ulimit.ts';

const refusals = [parseByteRate, parseExpose, parseGoDuration, parseRestartPolicy, parseUlimit];

property.prop([fc.string(), fc.constantFrom(...refusals)])(
  'what cannot be read is refused as such',
  (text, parse) => {
    try {
      parse(text);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  },
);

describe('durations', () => {
  const UNITS = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, ns: 1 } as const;

  property.prop([
    fc.array(
      fc.tuple(fc.nat(999), fc.constantFrom(...(Object.keys(UNITS) as (keyof typeof UNITS)[]))),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  ])('add up, to 104 days at most', (parts) => {
    const text = parts.map(([number, unit]) => `${number}${unit}`).join('');
    const total = parts.reduce((sum, [number, unit]) => sum + number * UNITS[unit], 0);
    if (!Number.isSafeInteger(total)) {
      expect(() => parseGoDuration(text)).toThrow('time: invalid duration');
      return;
    }
    expect(parseGoDuration(text)).toBe(total);
    expect(parseGoDuration(`-${text}`)).toBe(-total);
  });

  it.each([
    ['0', 0],
    ['1.5s', 1.5e9],
    ['.5m', 30e9],
    ['1h30m', 5400e9],
    ['1\u00b5s', 1000],
  ])('%s', (text, nanoseconds) => {
    expect(parseGoDuration(text)).toBe(nanoseconds);
  });

  it.each(['', 's', '1', '1.s.', '1 s', '1h 2m', '1d', '--1s', '9999999999h'])('not %j', (text) => {
    expect(() => parseGoDuration(text)).toThrow(RangeError);
  });
});

describe('ulimits', () => {
  property.prop([fc.constantFrom(...ULIMIT_NAMES), fc.nat(), fc.nat()])(
    'are read back',
    (Name, a, b) => {
      const [Soft, Hard] = [Math.min(a, b), Math.max(a, b)];
      expect(parseUlimit(`${Name}=${Soft}:${Hard}`)).toEqual({ Name, Soft, Hard });
      expect(parseUlimit(`${Name}=${Soft}`)).toEqual({ Name, Soft, Hard: Soft });
      expect(parseUlimit(`${Name}=${Soft}:-1`)).toEqual({ Name, Soft, Hard: -1 });
    },
  );
});

describe('restart policies', () => {
  it.each([
    ['', { Name: 'no', MaximumRetryCount: 0 }],
    ['unless-stopped', { Name: 'unless-stopped', MaximumRetryCount: 0 }],
    ['on-failure', { Name: 'on-failure', MaximumRetryCount: 0 }],
    ['on-failure:0', { Name: 'on-failure', MaximumRetryCount: 0 }],
  ])('%j', (text, policy) => {
    expect(parseRestartPolicy(text)).toEqual(policy);
  });

  it.each([':', 'on-failure:', 'on-failure:-1', 'on-failure:1.5', 'ALWAYS', 'always:', ':3'])(
    'not %j',
    (text) => {
      expect(() => parseRestartPolicy(text)).toThrow(RangeError);
    },
  );
});

describe('rates', () => {
  it.each([
    ['/dev/root:1mb', 1024 ** 2],
    ['/dev/root:512', 512],
    ['/dev/root:1g', 1024 ** 3],
  ])('%s', (text, Rate) => {
    expect(parseByteRate(text)).toEqual({ Path: '/dev/root', Rate });
  });

  it('of another disk are refused with what would do', () => {
    expect(() => parseOperationRate('/dev/sda:1')).toThrow(
      expect.objectContaining({ code: 'unsupported-option' }),
    );
  });
});
