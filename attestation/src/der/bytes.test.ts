import { describe, expect, it } from 'vitest';
import { concat, sameBytes } from './bytes.ts';

describe('bytes', () => {
  it('concatenates byte arrays', () => {
    expect(concat([])).toEqual(new Uint8Array());
    expect(concat([Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)])).toEqual(
      Uint8Array.of(1, 2, 3),
    );
  });

  it('compares byte arrays by length and content', () => {
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
    expect(sameBytes(Uint8Array.of(), Uint8Array.of())).toBe(true);
  });
});
