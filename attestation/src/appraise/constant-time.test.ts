import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constantTimeEqual, constantTimeIncludes } from './constant-time.ts';

describe('constantTimeEqual', () => {
  it('distinguishes strings that differ in one place, at either end', () => {
    expect(constantTimeEqual('0123', '0123')).toBe(true);
    expect(constantTimeEqual('0123', '1123')).toBe(false);
    expect(constantTimeEqual('0123', '0122')).toBe(false);
  });

  it('does not take a beginning for the whole', () => {
    expect(constantTimeEqual('0123', '012')).toBe(false);
    expect(constantTimeEqual('012', '0123')).toBe(false);
    expect(constantTimeEqual('', '0')).toBe(false);
    expect(constantTimeEqual('\0', '')).toBe(false);
  });

  it(
    'agrees with === on any two strings',
    async () => {
      await fuzz(
        fc.property(fc.string(), fc.string(), (a, b) => {
          expect(constantTimeEqual(a, b)).toBe(a === b);
          expect(constantTimeEqual(a, a.slice())).toBe(true);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

describe('constantTimeIncludes', () => {
  it('finds an entry wherever it is', () => {
    expect(constantTimeIncludes(['a', 'b', 'c'], 'a')).toBe(true);
    expect(constantTimeIncludes(['a', 'b', 'c'], 'c')).toBe(true);
    expect(constantTimeIncludes(['a', 'b', 'c'], 'd')).toBe(false);
    expect(constantTimeIncludes([], 'a')).toBe(false);
  });
});
