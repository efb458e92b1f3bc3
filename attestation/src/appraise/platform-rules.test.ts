import { describe, expect, it } from 'vitest';
import type { AppraisalCode } from './appraisal-checks.ts';
import { checkOf, failuresOf, MILAN, type Specimen, TURIN } from './testing/specimen.ts';

interface Bits {
  readonly guest?: Partial<typeof MILAN.policy>;
  readonly platform?: Partial<typeof MILAN.platformInfo>;
}

function having({ guest, platform }: Bits, policy: Specimen['policy'] = {}): Specimen {
  return {
    claims: {
      policy: { ...MILAN.policy, ...guest },
      platformInfo: { ...MILAN.platformInfo, ...platform },
    },
    policy,
  };
}

describe('smt', () => {
  const off = { guest: { smt: false }, platform: { smtEn: false } };

  it('skips the SMT check where the policy allows SMT', () => {
    expect(checkOf('smt')).toEqual({
      verdict: 'skipped',
      expected: 'any: the policy allows SMT',
      actual: 'SMT on by guest policy, on on platform',
    });
  });

  it('passes SMT that is off by guest policy and on the platform', () => {
    expect(checkOf('smt', having(off, { allowSmt: false }))?.verdict).toBe('passed');
  });

  it('fails SMT that the guest policy or the platform leaves on', () => {
    const guest = having({ ...off, guest: {} }, { allowSmt: false });
    const platform = having({ ...off, platform: {} }, { allowSmt: false });
    expect(failuresOf(guest)).toEqual(['smt']);
    expect(failuresOf(platform)).toEqual(['smt']);
  });
});

describe('alias-check', () => {
  const incomplete = { platform: { aliasCheckComplete: false } };

  it('passes a platform whose alias check is complete', () => {
    expect(checkOf('alias-check')?.verdict).toBe('passed');
  });

  it('fails a platform whose alias check is incomplete', () => {
    expect(failuresOf(having(incomplete))).toEqual(['alias-check']);
  });

  it('fails the alias check of a version 2 report, whatever its bit says', () => {
    const specimen = { claims: { version: 2 }, policy: { reportVersions: [2] } };
    expect(checkOf('alias-check', specimen)).toEqual({
      verdict: 'failed',
      expected: 'alias check complete',
      actual: 'alias check not reported',
    });
  });

  it('skips the alias check where the policy does not require it', () => {
    const specimen = having(incomplete, { requireAliasCheck: false });
    expect(checkOf('alias-check', specimen)?.verdict).toBe('skipped');
  });
});

describe.each<[AppraisalCode, string, Required<Bits>]>([
  [
    'ciphertext-hiding',
    'requireCiphertextHiding',
    { guest: { ciphertextHidingDram: true }, platform: { ciphertextHidingDramEn: true } },
  ],
  ['rapl', 'requireRaplDisabled', { guest: { raplDis: true }, platform: { raplDis: true } }],
])('%s', (code, key, bits) => {
  const asked = { [key]: true };

  it('passes a feature that both guest policy and platform have', () => {
    expect(checkOf(code, having(bits, asked))?.verdict).toBe('passed');
  });

  it('fails a feature that the guest policy or the platform lacks', () => {
    expect(failuresOf(having({ guest: bits.guest }, asked))).toEqual([code]);
    expect(failuresOf(having({ platform: bits.platform }, asked))).toEqual([code]);
    expect(failuresOf(having({}, asked))).toEqual([code]);
  });

  it('skips a platform feature that the policy does not require', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
  });
});

describe('rapl', () => {
  it('reports RAPL as the power reading that is on or off', () => {
    expect(checkOf('rapl', { policy: { requireRaplDisabled: true } })).toEqual({
      verdict: 'failed',
      expected: 'RAPL off by guest policy, off on platform',
      actual: 'RAPL on by guest policy, on on platform',
    });
  });
});

describe('ecc', () => {
  it('passes, fails or skips ECC by the platform bit and the policy', () => {
    const without = { platform: { eccEn: false } };
    expect(checkOf('ecc', { policy: { requireEcc: true } })?.verdict).toBe('passed');
    expect(failuresOf(having(without, { requireEcc: true }))).toEqual(['ecc']);
    expect(checkOf('ecc', having(without))?.verdict).toBe('skipped');
  });
});

describe('tio', () => {
  const on = {
    base: TURIN,
    claims: { platformInfo: { ...TURIN.platformInfo, raw: 0xe5n, tioEn: true } },
  };

  it('passes a platform without TIO', () => {
    expect(checkOf('tio')?.verdict).toBe('passed');
  });

  it('fails a platform with TIO, unless the policy allows it', () => {
    expect(failuresOf(on)).toEqual(['tio']);
    expect(checkOf('tio', { ...on, policy: { allowTio: true } })?.verdict).toBe('skipped');
  });
});

describe('iommu-write-safe', () => {
  const policy = { requireIommuWriteSafe: true };
  const unsafe = { ...TURIN.platformInfo, raw: 0x25n, iommuWriteSafe: false };

  it('passes a Turin whose IOMMU is write-safe', () => {
    expect(checkOf('iommu-write-safe', { base: TURIN, policy })?.verdict).toBe('passed');
  });

  it('fails a Turin whose IOMMU is not write-safe', () => {
    const specimen = { base: TURIN, claims: { platformInfo: unsafe }, policy };
    expect(failuresOf(specimen)).toEqual(['iommu-write-safe']);
  });

  it('fails the IOMMU check of a product that does not report the bit', () => {
    const set = { ...MILAN.platformInfo, iommuWriteSafe: true };
    for (const claims of [{}, { platformInfo: set }, { product: 'Genoa' } as const]) {
      expect(failuresOf({ claims, policy })).toContain('iommu-write-safe');
    }
    expect(checkOf('iommu-write-safe', { policy })).toEqual({
      verdict: 'failed',
      expected: 'IOMMU write-safe on, which only Turin reports',
      actual: 'IOMMU write-safe not reported by Milan',
    });
  });

  it('skips the IOMMU check where the policy does not require it', () => {
    expect(checkOf('iommu-write-safe', { base: TURIN })?.verdict).toBe('skipped');
    expect(checkOf('iommu-write-safe')?.verdict).toBe('skipped');
  });
});

describe('platform-info', () => {
  const raw = (base: typeof MILAN, bits: bigint, version: number): Specimen => ({
    base,
    claims: { version, platformInfo: { ...base.platformInfo, raw: bits } },
  });

  it.each([
    ['bits 0 to 5 on Milan', raw(MILAN, 0x3fn, 3)],
    ['bits 0 to 7 on Turin', raw(TURIN, 0xffn, 5)],
    ['bits 0 to 4 in version 2', raw(MILAN, 0x1fn, 2)],
  ])('passes the known platform bits: %s', (_, specimen) => {
    expect(checkOf('platform-info', specimen)?.verdict).toBe('passed');
  });

  it.each([
    ['bit 6 on Milan', raw(MILAN, 0x65n, 3), '0x40'],
    ['bit 7 on Milan', raw(MILAN, 0xa5n, 3), '0x80'],
    ['bit 8 on Turin', raw(TURIN, 0x165n, 5), '0x100'],
    ['bit 63 on Turin', raw(TURIN, 0x8000_0000_0000_0065n, 5), '0x8000000000000000'],
    ['bit 5 in version 2', raw(MILAN, 0x21n, 2), '0x20'],
  ])('fails the unknown platform %s', (_, specimen, unknown) => {
    expect(checkOf('platform-info', specimen)).toEqual({
      verdict: 'failed',
      expected: 'no unknown bit',
      actual: `unknown bits ${unknown}`,
    });
  });

  it('passes the unknown platform bits that the policy names, and no others', () => {
    const policy = { allowUnknownPlatformInfo: '0x300' };
    expect(checkOf('platform-info', { ...raw(TURIN, 0x365n, 5), policy })?.verdict).toBe('passed');
    expect(checkOf('platform-info', { ...raw(TURIN, 0x765n, 5), policy })).toEqual({
      verdict: 'failed',
      expected: 'no unknown bit outside of 0x300',
      actual: 'unknown bits 0x700',
    });
  });
});
