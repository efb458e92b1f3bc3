import { describe, expect, it } from 'vitest';
import { decodeKeyInfo, encodeKeyInfo } from './key-info.ts';

describe('decodeKeyInfo', () => {
  it.each([
    [0b000, { authorKeyEn: false, maskChipKey: false, signingKey: 'VCEK' }],
    [0b001, { authorKeyEn: true, maskChipKey: false, signingKey: 'VCEK' }],
    [0b010, { authorKeyEn: false, maskChipKey: true, signingKey: 'VCEK' }],
    [0b100, { authorKeyEn: false, maskChipKey: false, signingKey: 'VLEK' }],
    [0b111, { authorKeyEn: true, maskChipKey: true, signingKey: 'VLEK' }],
  ])('reads the key information %d, and writes it again', (raw, keyInfo) => {
    expect(decodeKeyInfo(raw)).toEqual(keyInfo);
    expect(encodeKeyInfo(decodeKeyInfo(raw))).toBe(raw);
  });

  it.each([0b1000, 0b11100, 0b10_0000, 0x8000_0000])('refuses the key information %d', (raw) => {
    expect(() => decodeKeyInfo(raw)).toThrow(expect.objectContaining({ code: 'report-key-info' }));
  });
});
