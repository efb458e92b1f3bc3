import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { parseByteRate, parseOperationRate } from './device-rate.ts';
import { parseExpose } from './port.ts';
import { parseRestartPolicy } from './restart-policy.ts';
import { parseGoDuration } from './times/go-duration.ts';
import { parseUlimit, ULIMIT_NAMES } from './ulimit.ts';

const refusals = [parseByteRate, parseExpose, parseGoDuration, parseRestartPolicy, parseUlimit];

property.prop([fc.string(), fc.constantFrom(...refusals)])(
  'reports unreadable ulimits, rates and restart policies as range errors',
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
  ])('adds up the units of a duration, up to 104 days', (parts) => {
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
  ])('reads the duration %s', (text, nanoseconds) => {
    expect(parseGoDuration(text)).toBe(nanoseconds);
  });

  it.each(['', 's', '1', '1.s.', '1 s', '1h 2m', '1d', '--1s', '9999999999h'])(
    'refuses the duration %j',
    (text) => {
      expect(() => parseGoDuration(text)).toThrow(RangeError);
    },
  );
});

describe('ulimits', () => {
  property.prop([fc.constantFrom(...ULIMIT_NAMES), fc.nat(), fc.nat()])(
    'reads every ulimit with soft and hard limit',
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
  ])('reads the restart policy %j', (text, policy) => {
    expect(parseRestartPolicy(text)).toEqual(policy);
  });

  it.each([':', 'on-failure:', 'on-failure:-1', 'on-failure:1.5', 'ALWAYS', 'always:', ':3'])(
    'refuses the restart policy %j',
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
  ])('reads the device rate %s', (text, Rate) => {
    expect(parseByteRate(text)).toEqual({ Path: '/dev/root', Rate });
  });

  it('refuses a rate for another disk, and names the right one', () => {
    expect(() => parseOperationRate('/dev/sda:1')).toThrow(
      expect.objectContaining({ code: 'unsupported-option' }),
    );
  });
});
