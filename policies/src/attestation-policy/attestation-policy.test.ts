import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PolicyError,
  type PolicyProblem,
  parseAttestationPolicy,
  STRICT_POLICY,
} from './attestation-policy.ts';

function problemsOf(input: unknown): readonly PolicyProblem[] {
  try {
    parseAttestationPolicy(input);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    expect(error.code).toBe('policy-invalid');
    return error.problems;
  }
  return [];
}

function messagesOf(input: unknown): readonly string[] {
  return problemsOf(input).map(({ path, message }) => `${path}: ${message}`);
}

describe('parseAttestationPolicy', () => {
  it('lowers hexadecimal in a policy, and removes repeated entries of a list', () => {
    const policy = parseAttestationPolicy({
      measurements: ['AB'.repeat(48), 'ab'.repeat(48)],
      hostData: 'CD'.repeat(32),
      signingKeys: ['VLEK', 'VLEK'],
    });
    expect(policy.measurements).toEqual(['ab'.repeat(48)]);
    expect(policy.hostData).toBe('cd'.repeat(32));
    expect(policy.signingKeys).toEqual(['VLEK']);
  });

  it('pads the 8 bytes of a Turin chip in a policy as its report does', () => {
    const policy = parseAttestationPolicy({ chipAllow: ['3B42092F69C656D3', '1f'.repeat(64)] });
    expect(policy.chipAllow).toEqual([`3b42092f69c656d3${'00'.repeat(56)}`, '1f'.repeat(64)]);
  });

  it('omits minimums that a policy does not have, so that they follow another minTcb', () => {
    const floor = { milan: { bl: 4, tee: 0, snp: 25, ucode: 219 } };
    const launch = { milan: { bl: 4, tee: 0, snp: 24, ucode: 213 } };
    const policy = parseAttestationPolicy({ minLaunchTcb: launch });
    const stronger = parseAttestationPolicy({ ...policy, minTcb: floor });
    expect(stronger.minTcb).toEqual(floor);
    expect(stronger.minLaunchTcb).toEqual(launch);
    expect(stronger.minCommittedTcb).toBeUndefined();
  });

  it.each([
    [31, 31n],
    ['31', 31n],
    ['0x1f', 31n],
    ['0X1F', 31n],
    [31n, 31n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['0xffffffffffffffff', 2n ** 64n - 1n],
    [0, 0n],
  ])('reads the bits %s in a policy', (bits, value) => {
    const policy = parseAttestationPolicy({
      minMitigationVector: bits,
      allowUnknownPlatformInfo: bits,
      crl: { minNumber: { Genoa: bits } },
    });
    expect(policy.minMitigationVector).toBe(value);
    expect(policy.allowUnknownPlatformInfo).toBe(value);
    expect(policy.crl.minNumber).toEqual({ Genoa: value });
  });

  it.each([
    [-1],
    [1.5],
    [2 ** 53],
    ['18446744073709551616'],
    ['0x'],
    ['1f'],
    ['01'],
    [true],
    [-1n],
  ])('refuses the bits %s in a policy', (minMitigationVector) => {
    expect(problemsOf({ minMitigationVector })).toMatchObject([
      {
        path: 'minMitigationVector',
        expected: 'an integer of 64 bits, from 0, or one in hexadecimal such as 0x1f',
      },
    ]);
  });

  it.each([['1'], ['1.55.22.1'], ['1.055'], ['1.256'], ['v1.55'], [1.55], ['1.55 '], ['']])(
    'refuses the firmware version %j in a policy',
    (minFirmware) => {
      expect(problemsOf({ minFirmware })).toMatchObject([
        { path: 'minFirmware', expected: 'a firmware version such as 1.55 or 1.55.22' },
      ]);
    },
  );

  it.each<[string, unknown, string]>([
    ['measurements', 'aa'.repeat(47), 'one byte short'],
    ['measurements', 'aa'.repeat(49), 'one byte long'],
    ['measurements', `${'aa'.repeat(47)}ag`, 'not hexadecimal'],
    ['measurements', `0x${'aa'.repeat(48)}`, 'prefixed'],
    ['measurements', 7, 'a number'],
    ['idKeyDigests', '00'.repeat(48), 'zero, which is no ID block'],
    ['authorKeyDigests', '00'.repeat(48), 'zero, which is no key'],
    ['chipAllow', '00'.repeat(64), 'zero, which is a masked chip'],
    ['chipAllow', '00'.repeat(8), 'zero, which is a masked chip'],
    ['chipAllow', 'aa'.repeat(32), 'neither 64 nor 8 bytes'],
    ['chipDeny', 'aa'.repeat(63), 'one byte short'],
    ['familyIds', 'aa'.repeat(15), 'one byte short'],
    ['imageIds', 'aa'.repeat(17), 'one byte long'],
    ['cspIds', '', 'empty'],
    ['cspIds', 'C'.repeat(257), 'too long'],
    ['cspIds', 1, 'a number'],
    ['products', 'milan', 'in lower case'],
    ['signingKeys', 'none', 'no key'],
    ['reportVersions', 6, 'a version that is not known'],
  ])('refuses in a policy a list %s with the entry %j (%s)', (key, entry, _) => {
    const trusted = { idKeyDigests: [], authorKeyDigests: [] };
    expect(problemsOf({ ...trusted, [key]: [entry] })).toMatchObject([{ path: `${key}[0]` }]);
  });

  it.each([
    ['hostData', 'aa'.repeat(31)],
    ['hostData', 'any'],
    ['hostData', null],
    ['reportData', 'aa'.repeat(32)],
    ['vmpl', 4],
    ['vmpl', '0'],
    ['vmpl', 0xffff_ffff],
    ['minGuestSvn', -1],
    ['minGuestSvn', 2 ** 32],
    ['minGuestSvn', 0.5],
    ['allowDebug', 'false'],
    ['allowDebug', null],
    ['measurements', null],
    ['measurements', 'aa'.repeat(48)],
    ['measurements', {}],
    ['tee', 'sample'],
    ['schema', 'a3s-box/attestation-policy/v2'],
    ['minTcb', null],
    ['crl', null],
    ['crl', []],
  ])('refuses in a policy for %s the value %j', (key, value) => {
    expect(problemsOf({ authorKeyDigests: [], [key]: value })).toMatchObject([{ path: key }]);
  });

  it('refuses a policy list above its bound without reading its entries', () => {
    expect(messagesOf({ measurements: Array.from({ length: 4097 }, () => 0) })).toEqual([
      'measurements: expected a list of at most 4096, found a list of 4097',
    ]);
    expect(messagesOf({ chipDeny: Array.from({ length: 65_537 }, () => 0) })).toEqual([
      'chipDeny: expected a list of at most 65536, found a list of 65537',
    ]);
  });

  it('requires an FMC in the TCB of Turin, and refuses one elsewhere', () => {
    const tcb = { bl: 1, tee: 1, snp: 4, ucode: 81 };
    expect(messagesOf({ minTcb: { turin: tcb, milan: { fmc: 1, ...tcb } } })).toEqual([
      'minTcb.milan.fmc: unknown key `fmc`',
      'minTcb.turin.fmc: expected an integer from 0 to 255, found nothing',
    ]);
  });

  it('reports every problem of a policy, and the key that was probably meant', () => {
    const input = {
      alowDebug: true,
      allowSmt: 'yes',
      measurements: ['aa'],
      crl: { maxAge: 3, required: 1 },
      'no key\n': { of: 'any' },
      minTcb: { milan: { bl: 1, tee: 1, snp: 300, ucode: [] } },
    };
    expect(messagesOf(input)).toEqual([
      'allowSmt: expected true or false, found "yes"',
      'minTcb.milan.snp: expected an integer from 0 to 255, found 300',
      'minTcb.milan.ucode: expected an integer from 0 to 255, found a list of 0',
      'measurements[0]: expected 96 hexadecimal digits (48 bytes), found "aa"',
      'crl.required: expected true or false, found 1',
      'crl.maxAge: unknown key `maxAge`: did you mean `maxAgeDays`?',
      'alowDebug: unknown key `alowDebug`: did you mean `allowDebug`?',
      '"no key\\n": unknown key `"no key\\n"`',
    ]);
    expect(problemsOf({ allowSmt: 'yes' })).toEqual([
      {
        path: 'allowSmt',
        message: 'expected true or false, found "yes"',
        expected: 'true or false',
        found: '"yes"',
      },
    ]);
  });

  it.each([
    [undefined, 'expected a mapping, found nothing'],
    [null, 'expected a mapping, found null'],
    [[], 'expected a mapping, found a list of 0'],
    ['tee: sev-snp', 'expected a mapping, found text'],
    [{ allowSmt: {} }, 'expected true or false, found a mapping'],
  ])('reports what a policy must have instead of %j', (input, message) => {
    expect(problemsOf(input)).toMatchObject([{ message }]);
  });

  it('quotes only the beginning of a long value in a problem', () => {
    const message = `expected true or false, found "${'x'.repeat(64)}… (1000 characters)"`;
    expect(problemsOf({ allowSmt: 'x'.repeat(1000) })).toMatchObject([{ message }]);
  });

  it('refuses a __proto__ key in a policy', () => {
    expect(messagesOf(JSON.parse('{"__proto__": {"allowDebug": true}, "vmpl": 0}'))).toEqual([
      '__proto__: unknown key `__proto__`',
    ]);
  });

  it('repeats nothing of a document that has no key of a policy', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', data: { 'hunter-2': 'hunter2' } };
    const problem = 'this is no such policy: it has none of the keys of one';
    expect(problemsOf(secret)).toEqual([{ path: '', message: problem }]);
    const many = Array.from({ length: 200_000 }, (_, index) => [`hunter${index}`, 1]);
    expect(problemsOf(Object.fromEntries(many))).toEqual([{ path: '', message: problem }]);
    expect(problemsOf('hunter2')).toEqual([
      {
        path: '',
        message: 'expected a mapping, found text',
        expected: 'a mapping',
        found: 'text',
      },
    ]);
    // One misspelt key is still recognised as a policy's.
    expect(messagesOf({ alowDebug: true, other: 1 })).toHaveLength(2);
  });

  it('reports at most a hundred problems, and the number of the others', () => {
    const unknown = Array.from({ length: 150 }, (_, index) => [`key${index}`, 1]);
    const problems = problemsOf({ ...Object.fromEntries(unknown), vmpl: 7 });
    expect(problems).toHaveLength(101);
    expect(problems[0]).toMatchObject({ path: 'vmpl' });
    expect(problems[100]).toEqual({ path: '', message: 'and 51 more' });
    const hundred = problemsOf(Object.fromEntries([['vmpl', 0], ...unknown.slice(0, 100)]));
    expect(hundred).toHaveLength(100);
    expect(hundred[99]).toMatchObject({ path: 'key99' });
  });

  it('refuses a document with hundreds of thousands of problems without delay', () => {
    const unknown = Array.from({ length: 200_000 }, (_, index) => [`alowDebug${index}`, 1]);
    const wrong = Array.from({ length: 65_536 }, () => 'x'.repeat(64));
    const problems = problemsOf({ ...Object.fromEntries(unknown), chipAllow: wrong });
    expect(problems.at(-1)).toEqual({ path: '', message: 'and 265436 more' });
    expect(problems.map(({ message }) => message).join('').length).toBeLessThan(100_000);
  });

  it.each([
    ['a Map', new Map()],
    ['a Date', new Date(0)],
    ['an array buffer', new ArrayBuffer(8)],
    ['an object of a class', new (class Policy {})()],
    ['an object that inherits', Object.create({ allowDebug: true })],
  ])('refuses a policy or a part of one that is %s', (_, value) => {
    const message = 'expected a mapping, found an object that is not a plain one';
    expect(messagesOf(value)).toEqual([`: ${message}`]);
    expect(messagesOf({ crl: value })).toEqual([`crl: ${message}`]);
    expect(messagesOf({ crl: { minNumber: value } })).toEqual([`crl.minNumber: ${message}`]);
    expect(messagesOf({ minTcb: value })).toEqual([`minTcb: ${message}`]);
    expect(messagesOf({ minTcb: { milan: value } })).toEqual([`minTcb.milan: ${message}`]);
  });

  it('reads a policy from objects without a prototype', () => {
    const crl = Object.assign(Object.create(null), { maxAgeDays: 3 });
    const policy = parseAttestationPolicy(Object.assign(Object.create(null), { vmpl: 2, crl }));
    expect(policy).toEqual(parseAttestationPolicy({ vmpl: 2, crl: { maxAgeDays: 3 } }));
  });

  it('ignores a policy key that is not enumerable', () => {
    const hidden = Object.defineProperty({ vmpl: 2 }, 'allowDebug', { value: true });
    expect(parseAttestationPolicy(hidden)).toEqual(parseAttestationPolicy({ vmpl: 2 }));
  });

  it('takes guests of QEMU alone unless a policy names other engines', () => {
    expect(parseAttestationPolicy({ vmpl: 0 }).engines).toEqual(['qemu']);
    expect(parseAttestationPolicy({ engines: ['krun', 'qemu'] }).engines).toEqual(['krun', 'qemu']);
    expect(problemsOf({ engines: ['libkrun'] })).toMatchObject([{ path: 'engines[0]' }]);
    expect(problemsOf({ engines: 'krun' })).toMatchObject([{ path: 'engines' }]);
  });

  it('refuses a policy with a launch digest of two engines', () => {
    const measurements = ['ab'.repeat(48), 'cd'.repeat(48)];
    const krunMeasurements = ['CD'.repeat(48)];
    expect(messagesOf({ measurements, krunMeasurements })).toEqual([
      'measurements: expected digests that are not in krunMeasurements: a launch digest is that of one engine alone, found a list of 2',
    ]);
    const apart = parseAttestationPolicy({
      measurements: measurements.slice(0, 1),
      krunMeasurements,
    });
    expect(apart.krunMeasurements).toEqual(['cd'.repeat(48)]);
    expect(problemsOf({ measurements: 7, krunMeasurements })).toMatchObject([
      { path: 'measurements' },
    ]);
  });

  describe('rules on the ID block without trusted keys', () => {
    const UNLESS =
      'unless idKeyDigests or authorKeyDigests says whose ID block is trusted (anybody can sign one, the host included)';
    const asked = {
      requireIdBlock: true,
      minGuestSvn: 3,
      familyIds: ['fa'.repeat(16)],
      imageIds: [],
    };

    it('refuses rules on the ID block when the policy trusts no ID or author key', () => {
      const measurements = ['ab'.repeat(48)];
      expect(messagesOf({ measurements, hostData: 'cd'.repeat(32), ...asked })).toEqual([
        `requireIdBlock: expected false, ${UNLESS}, found true`,
        `minGuestSvn: expected 0, ${UNLESS}, found 3`,
        `familyIds: expected no list, ${UNLESS}, found a list of 1`,
        `imageIds: expected no list, ${UNLESS}, found a list of 0`,
      ]);
    });

    it('reports rules on an untrusted ID block beside every other problem', () => {
      expect(problemsOf({ vmpl: 7, minGuestSvn: 1 })).toMatchObject([
        { path: 'vmpl' },
        { path: 'minGuestSvn' },
      ]);
    });

    it.each(['idKeyDigests', 'authorKeyDigests'])(
      'accepts rules on the ID block beside %s',
      (key) => {
        const policy = parseAttestationPolicy({ ...asked, [key]: ['1d'.repeat(48)] });
        expect(policy).toMatchObject(asked);
      },
    );

    it('accepts rules on the ID block beside an empty list of keys, which trusts nobody', () => {
      expect(parseAttestationPolicy({ ...asked, idKeyDigests: [] })).toMatchObject(asked);
    });

    it('accepts the default values of the rules on the ID block without trusted keys', () => {
      const nothing = { requireIdBlock: false, minGuestSvn: 0, familyIds: undefined };
      expect(parseAttestationPolicy(nothing)).toMatchObject(nothing);
    });
  });

  it('parses a parsed policy to an equal policy', () => {
    const policy = parseAttestationPolicy({
      measurements: ['ab'.repeat(48)],
      minMitigationVector: '0xb',
      chipAllow: ['3b42092f69c656d3'],
      crl: { minNumber: { Genoa: 4 } },
    });
    expect(parseAttestationPolicy(policy)).toEqual(policy);
    expect(parseAttestationPolicy({ ...policy, vmpl: 1 }).vmpl).toBe(1);
  });

  it('returns a frozen policy that is independent of the document', () => {
    const measurements = ['ab'.repeat(48)];
    const policy = parseAttestationPolicy({ measurements, crl: { minNumber: { Milan: 1 } } });
    measurements.push('cd'.repeat(48));
    expect(policy.measurements).toHaveLength(1);
    expect(Object.isFrozen(policy)).toBe(true);
    expect(Object.isFrozen(policy.measurements)).toBe(true);
    expect(Object.isFrozen(policy.crl.minNumber)).toBe(true);
    expect(Object.isFrozen(policy.minTcb.milan)).toBe(true);
  });
});

describe('whatever the document is', () => {
  const key = fc.oneof(fc.constantFrom('schema', ...Object.keys(STRICT_POLICY)), fc.string());
  const value = fc.oneof(
    fc.anything(),
    fc.constantFrom(...Object.values(STRICT_POLICY)),
    fc.array(fc.string({ unit: fc.constantFrom('a', 'F', '0'), minLength: 96, maxLength: 96 })),
  );

  it(
    'parses any document as a policy, or throws a PolicyError',
    async () => {
      await fuzz(
        fc.property(fc.oneof(fc.anything(), fc.dictionary(key, value)), (input) => {
          const problems = problemsOf(input);
          for (const { path, message } of problems) expect(`${path}: ${message}`).not.toMatch(/\n/);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it(
    'parses any parsed policy to an equal policy',
    async () => {
      const policies = fc.record(
        {
          vmpl: fc.nat(3),
          allowSmt: fc.boolean(),
          minMitigationVector: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
          products: fc.subarray(['Milan', 'Genoa', 'Turin']),
          crl: fc.record({ maxAgeDays: fc.option(fc.nat(100)) }),
        },
        { requiredKeys: [] },
      );
      const identified = fc.record({
        idKeyDigests: fc.constant(['1d'.repeat(48)]),
        minGuestSvn: fc.nat(),
      });
      const either = fc
        .tuple(policies, fc.option(identified, { nil: {} }))
        .map(([policy, id]) => ({ ...policy, ...id }));
      await fuzz(
        fc.property(either, (input) => {
          const policy = parseAttestationPolicy(input);
          expect(policy).toMatchObject(input);
          expect(parseAttestationPolicy(policy)).toEqual(policy);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
