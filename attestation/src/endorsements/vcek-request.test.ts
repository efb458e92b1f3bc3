import { describe, expect, it } from 'vitest';
import type { Product } from '../report/product.ts';
import { GENOA, MILAN, TURIN } from './testing/certificates.ts';
import { refusal } from './testing/refusal.ts';
import { type VcekRequest, vcekRequest } from './vcek-request.ts';

describe('vcekRequest', () => {
  it('returns a canonical VCEK request unchanged', () => {
    for (const request of [MILAN, GENOA, TURIN]) expect(vcekRequest(request)).toEqual(request);
  });

  it('derives the HWID from a CHIP_ID of Turin', () => {
    const chipId = TURIN.chipId.toUpperCase().padEnd(128, '0');
    expect(vcekRequest({ ...TURIN, chipId })).toEqual(TURIN);
  });

  it.each<[string, Partial<VcekRequest>]>([
    ['a chip id that is no hexadecimal', { chipId: '../'.padEnd(128, '0') }],
    ['a chip id that is too short', { chipId: '3a'.repeat(63) }],
    ['the short chip id of Turin', { chipId: TURIN.chipId }],
    ['an unknown product', { product: 'Venice' as Product }],
    ['a TCB with an FMC', { tcb: { ...MILAN.tcb, fmc: 0 } }],
    ['a component above 255', { tcb: { ...MILAN.tcb, ucode: 256 } }],
    ['a component below zero', { tcb: { ...MILAN.tcb, bl: -1 } }],
    ['a component that is no integer', { tcb: { ...MILAN.tcb, snp: 1.5 } }],
  ])('throws a RangeError for a VCEK request with %s', (_, change) => {
    expect(() => vcekRequest({ ...MILAN, ...change })).toThrow(RangeError);
  });

  it('refuses a VCEK request for Turin without an FMC', () => {
    expect(() => vcekRequest({ ...TURIN, tcb: MILAN.tcb })).toThrow('counts an FMC');
  });

  it('refuses a VCEK request for a hidden chip', async () => {
    const error = await refusal(() => vcekRequest({ ...MILAN, chipId: '00'.repeat(64) }));
    expect(error.code).toBe('kds-unsupported');
    expect(error.message).toContain('hides its chip');
    const turin = await refusal(() => vcekRequest({ ...TURIN, chipId: '00'.repeat(64) }));
    expect(turin.code).toBe('kds-unsupported');
  });

  it('refuses a VCEK request for Turin with the chip id of another product', async () => {
    const error = await refusal(() => vcekRequest({ ...TURIN, chipId: MILAN.chipId }));
    expect(error.code).toBe('kds-unsupported');
    expect(error.expected).toBe('8 bytes, then zeros');
  });
});
