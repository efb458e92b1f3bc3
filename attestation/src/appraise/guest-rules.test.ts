import { describe, expect, it } from 'vitest';
import { checkOf, failuresOf, MILAN, type Specimen, TURIN } from './testing/specimen.ts';

/** Claims whose guest policy differs. */
function guest(policy: Partial<typeof MILAN.policy>): Specimen {
  return { claims: { policy: { ...MILAN.policy, ...policy } } };
}

describe('tee', () => {
  it('passes evidence of the TEE that the policy names', () => {
    const simulated: Specimen = { tee: 'simulated', policy: { tee: 'simulated' } };
    expect(checkOf('tee')?.verdict).toBe('passed');
    expect(checkOf('tee', simulated)?.verdict).toBe('passed');
  });

  it('fails simulated evidence under a hardware policy, and hardware under a simulated one', () => {
    expect(failuresOf({ tee: 'simulated' })).toEqual(['tee']);
    expect(failuresOf({ policy: { tee: 'simulated' } })).toEqual(['tee']);
    expect(checkOf('tee', { tee: 'simulated' })).toEqual({
      verdict: 'failed',
      expected: 'sev-snp',
      actual: 'simulated',
    });
  });
});

describe('allowed-product', () => {
  it('passes a product that the policy allows', () => {
    expect(checkOf('allowed-product', { policy: { products: ['Milan'] } })?.verdict).toBe('passed');
    expect(checkOf('allowed-product', { base: TURIN })?.verdict).toBe('passed');
  });

  it('fails a product that the policy does not allow, and every product where it allows none', () => {
    expect(failuresOf({ policy: { products: ['Genoa', 'Turin'] } })).toEqual(['allowed-product']);
    expect(checkOf('allowed-product', { policy: { products: [] } })).toEqual({
      verdict: 'failed',
      expected: 'none: the policy allows no product',
      actual: 'Milan',
    });
  });
});

describe('allowed-version', () => {
  it.each([3, 4, 5])('passes report version %i', (version) => {
    expect(checkOf('allowed-version', { claims: { version } })?.verdict).toBe('passed');
  });

  it('fails a report version that the policy does not allow', () => {
    expect(checkOf('allowed-version', { claims: { version: 2 } })).toEqual({
      verdict: 'failed',
      expected: 'version one of 3, 4, 5',
      actual: 'version 2',
    });
  });
});

describe('debug', () => {
  it('passes a guest that cannot be debugged', () => {
    expect(checkOf('debug')?.verdict).toBe('passed');
  });

  it('fails a guest that can be debugged', () => {
    expect(failuresOf(guest({ debug: true }))).toEqual(['debug']);
  });

  it('skips the debug check where the policy allows debugging', () => {
    const allowed = { ...guest({ debug: true }), policy: { allowDebug: true } };
    expect(checkOf('debug', allowed)).toEqual({
      verdict: 'skipped',
      expected: 'any: the policy allows debug',
      actual: 'debug on',
    });
  });
});

describe('migration-agent', () => {
  it('passes a guest without a migration agent', () => {
    expect(checkOf('migration-agent')?.verdict).toBe('passed');
  });

  it('fails a guest policy that permits a migration agent', () => {
    expect(failuresOf(guest({ migrateMa: true }))).toEqual(['migration-agent']);
  });

  it('fails a guest that has a migration agent, whatever its guest policy says', () => {
    const agent = { claims: { reportIdMa: '01'.repeat(32) } };
    expect(failuresOf(agent)).toEqual(['migration-agent']);
    expect(checkOf('migration-agent', agent)?.actual).toBe(
      `migration off, agent ${'01'.repeat(32)}`,
    );
  });

  it('skips the migration agent check where the policy allows an agent', () => {
    const allowed = { ...guest({ migrateMa: true }), policy: { allowMigrationAgent: true } };
    expect(checkOf('migration-agent', allowed)?.verdict).toBe('skipped');
  });
});

describe('vmpl', () => {
  it('passes the VMPL that the policy expects', () => {
    expect(checkOf('vmpl', { policy: { vmpl: 2 }, claims: { vmpl: 2 } })?.verdict).toBe('passed');
  });

  it.each([1, 3, 0xffff_ffff])('fails VMPL %i where the policy expects VMPL 0', (vmpl) => {
    expect(checkOf('vmpl', { claims: { vmpl } })).toEqual({
      verdict: 'failed',
      expected: 'vmpl 0',
      actual: `vmpl ${vmpl}`,
    });
  });

  it('fails a VMPL with more privilege than the policy expects', () => {
    expect(failuresOf({ policy: { vmpl: 1 } })).toEqual(['vmpl']);
  });
});

describe('cxl', () => {
  it('passes a guest policy that forbids CXL', () => {
    expect(checkOf('cxl')?.verdict).toBe('passed');
  });

  it('fails a guest policy that permits CXL, unless the policy allows it', () => {
    expect(failuresOf(guest({ cxlAllow: true }))).toEqual(['cxl']);
    const allowed = { ...guest({ cxlAllow: true }), policy: { allowCxl: true } };
    expect(checkOf('cxl', allowed)?.verdict).toBe('skipped');
  });
});

describe.each([
  ['single-socket', 'requireSingleSocket', guest({ singleSocket: true })],
  ['page-swap', 'requirePageSwapDisabled', guest({ pageSwapDisable: true })],
  ['memory-aes-256-xts', 'requireMemoryAes256Xts', guest({ memAes256Xts: true })],
] as const)('%s', (code, key, launched) => {
  it('passes a guest that was launched with the required feature', () => {
    expect(checkOf(code, { ...launched, policy: { [key]: true } })?.verdict).toBe('passed');
  });

  it('fails a guest that was launched without the required feature', () => {
    expect(failuresOf({ policy: { [key]: true } })).toEqual([code]);
  });

  it('skips a guest feature that the policy does not require', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
    expect(checkOf(code)?.expected).toBe('any: the policy does not ask');
  });
});
