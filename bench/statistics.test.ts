import { describe, expect, it } from 'vitest';
import { alone, compared, percentile, shown } from './statistics.ts';

describe('a percentile', () => {
  it('computes a percentile as a sample, by nearest rank', () => {
    const samples = [50, 15, 40, 20, 35];
    expect(percentile(samples, 0.5)).toBe(35);
    expect(percentile(samples, 0.3)).toBe(20);
    expect(percentile(samples, 0.95)).toBe(50);
    expect(percentile(samples, 0)).toBe(15);
    expect(percentile([7], 0.95)).toBe(7);
  });

  it('leaves the samples in their order when it computes a percentile', () => {
    const samples = [3, 1, 2];
    percentile(samples, 0.5);
    expect(samples).toEqual([3, 1, 2]);
  });

  it('throws a RangeError for a percentile of no samples', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe('a row', () => {
  it('divides the median of a row by that of the peer, and names the peer', () => {
    const peer = { name: 'peer', samples: [100, 110, 400] };
    expect(compared('mine', 'ms', [330, 220, 990], peer, '<= 2.5')).toEqual({
      name: 'mine',
      unit: 'ms',
      n: 3,
      p50: 330,
      p95: 990,
      against: 'peer 110 ms',
      ratio: 3,
      aim: '<= 2.5',
    });
  });

  it('leaves the ratio of a row empty without a peer', () => {
    expect(alone('mine', 'MiB', [2, 1], '')).toEqual({
      name: 'mine',
      unit: 'MiB',
      n: 2,
      p50: 1,
      p95: 2,
      against: '',
      ratio: null,
      aim: '',
    });
  });
});

describe('a figure', () => {
  it('prints a figure with three digits, and without decimals above 100', () => {
    expect([0.12345, 1.2345, 12.345, 123.45, 12345.6].map(shown)).toEqual([
      '0.123',
      '1.23',
      '12.3',
      '123',
      '12346',
    ]);
  });
});
