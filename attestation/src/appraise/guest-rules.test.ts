import { describe, expect, it } from 'vitest';
import { checkOf, failuresOf, MILAN, type Specimen, TURIN } from './testing/specimen.ts';

/** Claims whose guest policy differs. */
function guest(policy: Partial<typeof MILAN.policy>): Specimen {
  return { claims: { policy: { ...MILAN.policy, ...policy } } };
}

describe('tee', () => {
  it('passes evidence that is from what the policy is for', () => {
    const simulated: Specimen = { tee: 'simulated', policy: { tee: 'simulated' } };
    expect(checkOf('tee')?.verdict).toBe('passed');
    expect(checkOf('tee', simulated)?.verdict).toBe('passed');
  });

  it('fails simulated evidence where hardware is asked for, and the other way round', () => {
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
  it('passes an allowed one', () => {
    expect(checkOf('allowed-product', { policy: { products: ['Milan'] } })?.verdict).toBe('passed');
    expect(checkOf('allowed-product', { base: TURIN })?.verdict).toBe('passed');
  });

  it('fails another, and every one where none is allowed', () => {
    expect(failuresOf({ policy: { products: ['Genoa', 'Turin'] } })).toEqual(['allowed-product']);
    expect(checkOf('allowed-product', { policy: { products: [] } })).toEqual({
      verdict: 'failed',
      expected: 'none: the policy allows no product',
      actual: 'Milan',
    });
  });
});

describe('allowed-version', () => {
  it.each([3, 4, 5])('passes version %i', (version) => {
    expect(checkOf('allowed-version', { claims: { version } })?.verdict).toBe('passed');
  });

  it('fails one that is not allowed', () => {
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

  it('fails one that can', () => {
    expect(failuresOf(guest({ debug: true }))).toEqual(['debug']);
  });

  it('is skipped where the policy allows it', () => {
    const allowed = { ...guest({ debug: true }), policy: { allowDebug: true } };
    expect(checkOf('debug', allowed)).toEqual({
      verdict: 'skipped',
      expected: 'any: the policy allows debug',
      actual: 'debug on',
    });
  });
});

describe('migration-agent', () => {
  it('passes a guest without one', () => {
    expect(checkOf('migration-agent')?.verdict).toBe('passed');
  });

  it('fails a guest policy that lets one in', () => {
    expect(failuresOf(guest({ migrateMa: true }))).toEqual(['migration-agent']);
  });

  it('fails a guest that has one, whatever its policy says', () => {
    const agent = { claims: { reportIdMa: '01'.repeat(32) } };
    expect(failuresOf(agent)).toEqual(['migration-agent']);
    expect(checkOf('migration-agent', agent)?.actual).toBe(
      `migration off, agent ${'01'.repeat(32)}`,
    );
  });

  it('is skipped where the policy allows it', () => {
    const allowed = { ...guest({ migrateMa: true }), policy: { allowMigrationAgent: true } };
    expect(checkOf('migration-agent', allowed)?.verdict).toBe('skipped');
  });
});

describe('vmpl', () => {
  it('passes the expected level', () => {
    expect(checkOf('vmpl', { policy: { vmpl: 2 }, claims: { vmpl: 2 } })?.verdict).toBe('passed');
  });

  it.each([1, 3, 0xffff_ffff])('fails level %i where 0 is asked for', (vmpl) => {
    expect(checkOf('vmpl', { claims: { vmpl } })).toEqual({
      verdict: 'failed',
      expected: 'vmpl 0',
      actual: `vmpl ${vmpl}`,
    });
  });

  it('fails a level with more privilege than the expected one', () => {
    expect(failuresOf({ policy: { vmpl: 1 } })).toEqual(['vmpl']);
  });
});

describe('cxl', () => {
  it('passes a guest that keeps it out', () => {
    expect(checkOf('cxl')?.verdict).toBe('passed');
  });

  it('fails one that lets it in, unless the policy does', () => {
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
  it('passes a guest that was launched with it', () => {
    expect(checkOf(code, { ...launched, policy: { [key]: true } })?.verdict).toBe('passed');
  });

  it('fails one that was not', () => {
    expect(failuresOf({ policy: { [key]: true } })).toEqual([code]);
  });

  it('is skipped where the policy does not ask', () => {
    expect(checkOf(code)?.verdict).toBe('skipped');
    expect(checkOf(code)?.expected).toBe('any: the policy does not ask');
  });
});
