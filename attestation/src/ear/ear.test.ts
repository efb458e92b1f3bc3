import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCbor } from './cbor-reader.ts';
import type { Ear, EarSubmod } from './ear.ts';
import { EAR_PROFILES } from './profiles.ts';
import { signEarCwt, signEarJwt } from './sign-ear.ts';
import type { EarAlgorithm } from './signatures.ts';
import { EAR, KEYS, NOW, options } from './testing/tokens.ts';
import { tierUnder, VECTOR_CLAIMS } from './tiers.ts';
import { type VerifiedEar, verifyEarCwt, verifyEarJwt } from './verify-ear.ts';

const FULL: Ear = {
  ...EAR,
  expiresAt: new Date(NOW.getTime() + 30_000),
  rawEvidence: Uint8Array.of(1, 2, 3),
  submods: new Map([
    ...EAR.submods,
    ['other', { status: 'warning', vector: { 'sourced-data': 32 }, key: Uint8Array.of(4, 5) }],
  ]),
};

const plain = (ear: VerifiedEar): object => ({ ...ear, submods: new Map(ear.submods) });
const only = (submod: object): Partial<Ear> => ({
  submods: new Map([['x', { status: 'none', vector: {}, ...submod }]]),
});

const payloadOf = (jwt: string): unknown =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());

describe('attestation results', () => {
  const cases = EAR_PROFILES.flatMap((profile) =>
    (Object.keys(KEYS) as EarAlgorithm[]).map((algorithm) => ({ profile, algorithm })),
  );

  it('issues a result that answers no nonce', async () => {
    const { nonce: _, ...undated } = EAR;
    const key = KEYS.ES256;
    for (const token of [await signEarJwt(undated, { key }), await signEarCwt(undated, { key })]) {
      const any = options({ nonce: 'any-explicit' });
      const read = typeof token === 'string' ? verifyEarJwt(token, any) : verifyEarCwt(token, any);
      expect((await read).nonce).toBeUndefined();
    }
  });

  it('refuses a JWT that is no text', async () => {
    const token: unknown = new Uint8Array(8);
    await expect(verifyEarJwt(token as string, options())).rejects.toThrow(TypeError);
  });

  it.each(cases)(
    'reads a result as it was issued, by $profile and $algorithm',
    async ({ profile, algorithm }) => {
      const ear = { ...FULL, profile };
      const key = KEYS[algorithm];
      const expected = { ...ear, status: 'warning' };
      const reading = options({ keys: [key] });
      const jwt = await signEarJwt(ear, { key, keyId: 'k1' });
      expect(plain(await verifyEarJwt(jwt, reading))).toEqual(expected);
      const cwt = await signEarCwt(ear, { key, keyId: 'k1' });
      expect(plain(await verifyEarCwt(cwt, reading))).toEqual(expected);
    },
  );

  it('gives claims the names of their profile in JSON', async () => {
    const veraison = await signEarJwt({ ...EAR, profile: 'veraison' }, { key: KEYS.ES256 });
    expect(payloadOf(veraison)).toEqual({
      eat_profile: 'tag:github.com,2023:veraison/ear',
      iat: 1781265600,
      'ear.verifier-id': { developer: 'https://example.com', build: 'tests 1' },
      eat_nonce: Buffer.alloc(32, 7).toString('base64'),
      submods: {
        'sev-snp': {
          'ear.status': 'affirming',
          'ear.trustworthiness-vector': { executables: 3, hardware: 2 },
          'ear.appraisal-policy-id': 'policy 1',
        },
      },
    });
    const ietf = await signEarJwt(EAR, { key: KEYS.ES256 });
    expect(payloadOf(ietf)).toMatchObject({
      eat_profile: 'tag:ietf.org,2026:rats/ear#03',
      ear_status: 'affirming',
      submods: { 'sev-snp': { ear_appraisal_policy_ids: ['policy 1'] } },
    });
  });

  it('gives claims the registered and suggested keys in CBOR', async () => {
    const cwt = await signEarCwt(FULL, { key: KEYS.ES256 });
    const { item } = decodeCbor(cwt, 'the token') as unknown as { item: readonly Uint8Array[] };
    const claims = decodeCbor(item[2] ?? new Uint8Array(), 'the claims');
    expect(claims).toEqual(
      new Map<number, unknown>([
        [265, 'tag:ietf.org,2026:rats/ear#03'],
        [6, 1781265600],
        [4, 1781265630],
        [10, new Uint8Array(32).fill(7)],
        [1000, 32],
        [1002, Uint8Array.of(1, 2, 3)],
        [
          1004,
          new Map([
            [0, 'https://example.com'],
            [1, 'tests 1'],
          ]),
        ],
        [
          266,
          new Map([
            [
              'sev-snp',
              new Map<number, unknown>([
                [1000, 2],
                [
                  1001,
                  new Map([
                    [4, 2],
                    [2, 3],
                  ]),
                ],
                [1003, ['policy 1']],
              ]),
            ],
            [
              'other',
              new Map<number, unknown>([
                [1000, 32],
                [1001, new Map([[7, 32]])],
                [-70002, new Map([['akpub', Uint8Array.of(4, 5)]])],
              ]),
            ],
          ]),
        ],
      ]),
    );
  });

  it.each<[string, Partial<Ear>]>([
    ['no submodule', { submods: new Map() }],
    ['a nonce of 7 bytes', { nonce: new Uint8Array(7) }],
    ['a nonce of 65 bytes', { nonce: new Uint8Array(65) }],
    ['an end before its beginning', { expiresAt: NOW }],
    ['no time', { issuedAt: new Date(Number.NaN) }],
    ['a time above the year 9999', { issuedAt: new Date(253_402_300_800_000) }],
    ['an end in the second of its issue', { expiresAt: new Date(NOW.getTime() + 999) }],
    ['empty evidence', { rawEvidence: new Uint8Array() }],
    ['evidence above any token', { rawEvidence: new Uint8Array(256 * 1024) }],
    ['a status that nobody knows', only({ status: 'bogus' })],
    ['a vector claim that nobody knows', only({ vector: { mood: 2 } })],
    ['an empty key', only({ key: new Uint8Array() })],
    ['an empty policy', only({ policyIds: [''] })],
    ['65 policies', only({ policyIds: Array.from({ length: 65 }, (_, index) => `p${index}`) })],
    [
      'a name that UTF-8 cannot have',
      { submods: new Map([['\ud800', { status: 'none', vector: {} }]]) },
    ],
    [
      'a status above its vector',
      { submods: new Map([['x', { status: 'affirming', vector: { hardware: 96 } }]]) },
    ],
    [
      'a claim of 128',
      { submods: new Map([['x', { status: 'contraindicated', vector: { hardware: 128 } }]]) },
    ],
    [
      'two policies, where its profile names one',
      {
        profile: 'veraison',
        submods: new Map([['x', { status: 'none', vector: {}, policyIds: ['a', 'b'] }]]),
      },
    ],
  ])('issues no result with %s', async (_, wrong) => {
    await expect(signEarJwt({ ...EAR, ...wrong }, { key: KEYS.ES256 })).rejects.toThrow(RangeError);
    await expect(signEarCwt({ ...EAR, ...wrong }, { key: KEYS.ES256 })).rejects.toThrow(RangeError);
  });

  it('signs no result by a key that is not one for its algorithm', async () => {
    const key = { ...KEYS.ES384, algorithm: 'ES256' } as const;
    await expect(signEarJwt(EAR, { key })).rejects.toThrow(TypeError);
  });

  it('reports the worst status of any result', { timeout: FUZZ_TIMEOUT }, () => {
    const vector = fc.dictionary(
      fc.constantFrom(...VECTOR_CLAIMS),
      fc.integer({ min: -128, max: 127 }),
    );
    const submod = fc
      .record({
        status: fc.constantFrom('affirming', 'none', 'warning', 'contraindicated' as const),
        vector,
      })
      .map(({ status, vector: values }): EarSubmod => {
        const plain = { ...values };
        return { status: tierUnder(status as EarSubmod['status'], plain), vector: plain };
      });
    const submods = fc
      .array(fc.tuple(fc.string(), submod), { minLength: 1, maxLength: 4 })
      .map((entries) => new Map(entries));
    return fuzz(
      fc.asyncProperty(
        submods,
        fc.constantFrom(...EAR_PROFILES),
        fc.uint8Array({ minLength: 8, maxLength: 64 }),
        async (given, profile, nonce) => {
          const ear = { ...EAR, submods: given, profile, nonce };
          const key = KEYS.EdDSA;
          const reading = options({ keys: [key], nonce });
          const fromJwt = await verifyEarJwt(await signEarJwt(ear, { key }), reading);
          const fromCwt = await verifyEarCwt(await signEarCwt(ear, { key }), reading);
          expect(plain(fromJwt)).toEqual(plain(fromCwt));
          expect(new Map(fromJwt.submods)).toEqual(given);
          const all = [...given.values()].map(({ status }) => status);
          const tiers = ['contraindicated', 'warning', 'none', 'affirming'] as const;
          expect(fromJwt.status).toBe(tiers.find((tier) => all.includes(tier)));
        },
      ),
      1,
    );
  });
});
