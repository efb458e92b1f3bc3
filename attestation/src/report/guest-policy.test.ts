import { describe, expect, it } from 'vitest';
import { decodeGuestPolicy } from './guest-policy.ts';

const NONE = {
  raw: 0n,
  abiMajor: 0,
  abiMinor: 0,
  smt: false,
  migrateMa: false,
  debug: false,
  singleSocket: false,
  cxlAllow: false,
  memAes256Xts: false,
  raplDis: false,
  ciphertextHidingDram: false,
  pageSwapDisable: false,
};

describe('decodeGuestPolicy', () => {
  it.each([
    [0x00_001fn, { abiMinor: 31 }],
    [0x00_0100n, { abiMajor: 1 }],
    [0x01_0000n, { smt: true }],
    [0x02_0000n, {}],
    [0x04_0000n, { migrateMa: true }],
    [0x08_0000n, { debug: true }],
    [0x10_0000n, { singleSocket: true }],
    [0x20_0000n, { cxlAllow: true }],
    [0x40_0000n, { memAes256Xts: true }],
    [0x80_0000n, { raplDis: true }],
    [0x100_0000n, { ciphertextHidingDram: true }],
    [0x200_0000n, { pageSwapDisable: true }],
  ])('reads the guest policy %s', (raw, bits) => {
    expect(decodeGuestPolicy(raw)).toEqual({ ...NONE, raw, ...bits });
  });
});
