import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { decodeTcb, encodeTcb, formatTcb, tcbAtLeast, tcbEquals, tcbLayoutOf } from './tcb.ts';

const MILAN = { bl: 4, tee: 1, snp: 24, ucode: 213 };
const TURIN = { fmc: 1, bl: 2, tee: 3, snp: 4, ucode: 81 };

describe('decodeTcb and encodeTcb', () => {
  it('encodes and decodes a TCB in the layout of its product', () => {
    expect(toHex(encodeTcb(MILAN, 'milan-genoa'))).toBe('04010000000018d5');
    expect(toHex(encodeTcb(TURIN, 'turin'))).toBe('0102030400000051');
    expect(decodeTcb(encodeTcb(MILAN, 'milan-genoa'), 'milan-genoa')).toEqual(MILAN);
    expect(decodeTcb(encodeTcb(TURIN, 'turin'), 'turin')).toEqual(TURIN);
  });

  it('refuses a TCB with nonzero reserved bytes', () => {
    const bytes = Uint8Array.of(4, 1, 0, 0, 0, 1, 24, 213);
    expect(() => decodeTcb(bytes, 'milan-genoa')).toThrow(
      expect.objectContaining({ code: 'report-tcb', found: '04010000000118d5' }),
    );
  });

  it('throws a RangeError for a TCB of another length or with other components', () => {
    expect(() => decodeTcb(new Uint8Array(7), 'turin')).toThrow(RangeError);
    expect(() => encodeTcb(MILAN, 'turin')).toThrow('has an fmc');
    expect(() => encodeTcb(TURIN, 'milan-genoa')).toThrow('has no fmc');
    for (const bl of [-1, 256, 0.5]) {
      expect(() => encodeTcb({ ...MILAN, bl }, 'milan-genoa')).toThrow(RangeError);
    }
  });
});

describe('tcbLayoutOf', () => {
  it('selects the Turin layout for Turin only', () => {
    expect(tcbLayoutOf('Milan')).toBe('milan-genoa');
    expect(tcbLayoutOf('Genoa')).toBe('milan-genoa');
    expect(tcbLayoutOf(null)).toBe('milan-genoa');
    expect(tcbLayoutOf('Turin')).toBe('turin');
  });
});

describe('tcbAtLeast', () => {
  it('compares each component of two TCBs', () => {
    expect(tcbAtLeast(MILAN, MILAN)).toBe(true);
    for (const component of ['bl', 'tee', 'snp', 'ucode'] as const) {
      const older = { ...MILAN, ucode: 255, [component]: MILAN[component] - 1 };
      expect(tcbAtLeast(older, MILAN)).toBe(false);
      expect(tcbAtLeast({ ...MILAN, [component]: MILAN[component] + 1 }, MILAN)).toBe(true);
    }
    expect(tcbAtLeast({ ...TURIN, fmc: 0 }, TURIN)).toBe(false);
  });

  it('returns false for TCBs of different layouts', () => {
    const { fmc: _, ...bare } = TURIN;
    expect(tcbAtLeast(TURIN, bare)).toBe(false);
    expect(tcbAtLeast(bare, { ...TURIN, fmc: 0 })).toBe(false);
  });
});

describe('tcbEquals', () => {
  it('compares every component and the layout of two TCBs for equality', () => {
    expect(tcbEquals(TURIN, { ...TURIN })).toBe(true);
    expect(tcbEquals(MILAN, { ...MILAN })).toBe(true);
    for (const component of ['fmc', 'bl', 'tee', 'snp', 'ucode'] as const) {
      expect(tcbEquals(TURIN, { ...TURIN, [component]: 9 })).toBe(false);
    }
    expect(tcbEquals({ ...MILAN, fmc: 0 }, MILAN)).toBe(false);
  });
});

describe('formatTcb', () => {
  it('names the components of a TCB in text', () => {
    expect(formatTcb(MILAN)).toBe('bl 4, tee 1, snp 24, ucode 213');
    expect(formatTcb(TURIN)).toBe('fmc 1, bl 2, tee 3, snp 4, ucode 81');
  });
});
