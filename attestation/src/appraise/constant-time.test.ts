import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constantTimeEqual, constantTimeIncludes } from './constant-time.ts';

describe('constantTimeEqual', () => {
  it('distinguishes strings that differ in their first or last character', () => {
    expect(constantTimeEqual('0123', '0123')).toBe(true);
    expect(constantTimeEqual('0123', '1123')).toBe(false);
    expect(constantTimeEqual('0123', '0122')).toBe(false);
  });

  it('distinguishes a string from its prefix', () => {
    expect(constantTimeEqual('0123', '012')).toBe(false);
    expect(constantTimeEqual('012', '0123')).toBe(false);
    expect(constantTimeEqual('', '0')).toBe(false);
    expect(constantTimeEqual('\0', '')).toBe(false);
  });

  it(
    'compares any two strings as === does',
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
  it('finds the first and the last entry of a list', () => {
    expect(constantTimeIncludes(['a', 'b', 'c'], 'a')).toBe(true);
    expect(constantTimeIncludes(['a', 'b', 'c'], 'c')).toBe(true);
    expect(constantTimeIncludes(['a', 'b', 'c'], 'd')).toBe(false);
    expect(constantTimeIncludes([], 'a')).toBe(false);
  });
});
