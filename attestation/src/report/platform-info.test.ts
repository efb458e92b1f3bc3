import { describe, expect, it } from 'vitest';
import { decodePlatformInfo, PLATFORM_INFO_KNOWN } from './platform-info.ts';

const BITS = [
  'smtEn',
  'tsmeEn',
  'eccEn',
  'raplDis',
  'ciphertextHidingDramEn',
  'aliasCheckComplete',
  'iommuWriteSafe',
  'tioEn',
] as const;

describe('decodePlatformInfo', () => {
  it('reads each bit of the platform information', () => {
    const none = Object.fromEntries(BITS.map((bit) => [bit, false]));
    BITS.forEach((bit, index) => {
      const raw = 1n << BigInt(index);
      expect(decodePlatformInfo(raw)).toEqual({ ...none, raw, [bit]: true });
    });
    expect(decodePlatformInfo(0x100n)).toEqual({ ...none, raw: 0x100n });
  });

  it('decodePlatformInfo knows as many platform bits as names', () => {
    expect(PLATFORM_INFO_KNOWN).toBe((1n << BigInt(BITS.length)) - 1n);
  });
});
