/**
 * Tokens that a reader must refuse, each with a good signature where nothing else is said.
 *
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { AttestationError } from '../errors.ts';
import { encodeCbor } from './cbor-writer.ts';
import { TaggedItem, type Tree } from './claim-value.ts';
import { MAX_TOKEN_SIZE } from './malformed.ts';
import { signEarCwt, signEarJwt } from './sign-ear.ts';
import { cwtOf, EAR, jwtOf, KEYS, NONCE, NOW, options } from './testing/tokens.ts';
import { verifyEarCwt, verifyEarJwt } from './verify-ear.ts';

const ES256 = '{"alg":"ES256"}';
const IAT = NOW.getTime() / 1000;

const CLAIMS = {
  eat_profile: 'tag:github.com,2023:veraison/ear',
  iat: IAT,
  eat_nonce: Buffer.from(NONCE).toString('base64'),
  'ear.verifier-id': { developer: 'd', build: 'b' },
  submods: { x: { 'ear.status': 'affirming', 'ear.trustworthiness-vector': { hardware: 2 } } },
};

const claims = (changes: object = {}): string => JSON.stringify({ ...CLAIMS, ...changes });
const jwt = (changes: object, header = ES256): string => jwtOf(header, claims(changes));
const submod = (changes: object): object => ({
  submods: { x: { ...CLAIMS.submods.x, ...changes } },
});

async function codeOfLater(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    if (error instanceof AttestationError) return error.code;
    throw error;
  }
  return 'accepted';
}

const JWTS: readonly (readonly [what: string, token: string, code: string])[] = [
  ['nothing else', jwt({}), 'accepted'],
  [
    'a header parameter and claims that nobody knows',
    jwt({ zz: [1.5, { a: null }] }, '{"alg":"ES256","jwk":{}}'),
    'accepted',
  ],
  [
    'the nonce in base64url without padding',
    jwt({ eat_nonce: Buffer.from(NONCE).toString('base64url') }),
    'accepted',
  ],
  ['alg none', `${jwt({}, '{"alg":"none"}').split('.').slice(0, 2).join('.')}.`, 'ear-algorithm'],
  ['alg HS256, signed with the public key', jwt({}, '{"alg":"HS256"}'), 'ear-algorithm'],
  ['alg in lower case', jwt({}, '{"alg":"es256"}'), 'ear-algorithm'],
  ['no alg', jwt({}, '{}'), 'ear-algorithm'],
  ['the algorithm of another key', jwtOf('{"alg":"EdDSA"}', claims(), KEYS.EdDSA), 'ear-algorithm'],
  [
    'a signature of another algorithm under this name',
    jwtOf(ES256, claims(), KEYS.EdDSA),
    'ear-signature',
  ],
  [
    'a critical header parameter',
    jwt({}, '{"alg":"ES256","crit":["b64"],"b64":false}'),
    'ear-critical',
  ],
  ['an empty list of critical ones', jwt({}, '{"alg":"ES256","crit":[]}'), 'ear-critical'],
  ['alg twice', jwt({}, '{"alg":"ES256","alg":"ES256"}'), 'ear-malformed'],
  ['alg twice, once escaped', jwt({}, '{"alg":"ES256","\\u0061lg":"ES256"}'), 'ear-malformed'],
  ['a header that is a list', jwt({}, '["ES256"]'), 'ear-malformed'],
  ['four parts', `${jwt({})}.AA`, 'ear-malformed'],
  ['two parts', jwt({}).split('.').slice(0, 2).join('.'), 'ear-malformed'],
  ['padding in a part', `${jwt({})}=`, 'ear-malformed'],
  ['a line break behind it', `${jwt({})}\n`, 'ear-malformed'],
  [
    'the standard alphabet in a part',
    `${jwt({}).split('.').slice(0, 2).join('.')}.+/+/`,
    'ear-malformed',
  ],
  ['300,000 characters', 'A'.repeat(300_000), 'ear-malformed'],
  ['a signature cut by a byte', jwt({}).slice(0, -2), 'ear-signature'],
  ['an empty signature', `${jwt({}).split('.').slice(0, 2).join('.')}.`, 'ear-signature'],
  [
    'claims of somebody else',
    `${jwt({}).split('.')[0]}.${jwt({ iat: 1 }).split('.')[1]}.${jwt({}).split('.')[2]}`,
    'ear-signature',
  ],
  ['claims that are a list', jwtOf(ES256, '[]'), 'ear-malformed'],
  ['claims with a byte order mark', jwtOf(ES256, `\ufeff${claims()}`), 'ear-malformed'],
  [
    'claims that are not UTF-8',
    jwtOf(ES256, Buffer.concat([Buffer.from(claims()), Buffer.of(0xff)])),
    'ear-malformed',
  ],
  [
    'a status twice',
    jwtOf(ES256, claims().replace('"ear.status"', '"ear.status":"none","ear.status"')),
    'ear-malformed',
  ],
  [
    'a hundred thousand levels',
    jwtOf(ES256, claims().replace('{', `{"z":${'['.repeat(90_000)}${']'.repeat(90_000)},`)),
    'ear-malformed',
  ],
  [
    'seventeen levels',
    jwtOf(ES256, claims().replace('{', `{"z":${'['.repeat(17)}${']'.repeat(17)},`)),
    'ear-malformed',
  ],
  ['another profile', jwt({ eat_profile: 'tag:example.com,2026:x' }), 'ear-profile'],
  ['no profile', jwt({ eat_profile: undefined }), 'ear-profile'],
  [
    'the claims of one profile under the name of another',
    jwt({ eat_profile: 'tag:ietf.org,2026:rats/ear#03' }),
    'ear-malformed',
  ],
  ['no nonce', jwt({ eat_nonce: undefined }), 'ear-nonce'],
  [
    'the nonce of another request',
    jwt({ eat_nonce: Buffer.alloc(32, 8).toString('base64') }),
    'ear-nonce',
  ],
  ['half of the nonce', jwt({ eat_nonce: Buffer.alloc(16, 7).toString('base64') }), 'ear-nonce'],
  ['two nonces', jwt({ eat_nonce: [CLAIMS.eat_nonce, CLAIMS.eat_nonce] }), 'ear-malformed'],
  ['a nonce of four bytes', jwt({ eat_nonce: 'AAAAAA==' }), 'ear-malformed'],
  ['a nonce that is not base64', jwt({ eat_nonce: '*'.repeat(16) }), 'ear-malformed'],
  ['no time of issue', jwt({ iat: undefined }), 'ear-malformed'],
  ['a time of issue with a fraction', jwt({ iat: IAT + 0.5 }), 'ear-malformed'],
  ['a time of issue as text', jwt({ iat: `${IAT}` }), 'ear-malformed'],
  ['a time beyond all years', jwt({ iat: 1e15 }), 'ear-malformed'],
  ['a time that is a little ahead', jwt({ iat: IAT + 30 }), 'accepted'],
  ['a time that is ahead', jwt({ iat: IAT + 31 }), 'ear-time'],
  ['a beginning that is ahead', jwt({ nbf: IAT + 31 }), 'ear-time'],
  ['an age at the limit', jwt({ iat: IAT - 89 }), 'accepted'],
  ['an age beyond the limit', jwt({ iat: IAT - 90 }), 'ear-time'],
  [
    'an age beyond the limit, and an end far away',
    jwt({ iat: IAT - 90, exp: IAT + 9999 }),
    'ear-time',
  ],
  ['an end that has passed', jwt({ iat: IAT - 60, exp: IAT - 30 }), 'ear-time'],
  ['an end before its issue', jwt({ exp: IAT - 10 }), 'ear-malformed'],
  ['an end before its beginning', jwt({ exp: IAT + 1, nbf: IAT + 20 }), 'ear-malformed'],
  ['an empty policy', jwt(submod({ 'ear.appraisal-policy-id': '' })), 'ear-malformed'],
  ['an end with a fraction', jwt({ exp: IAT + 5.5 }), 'ear-malformed'],
  ['no verifier', jwt({ 'ear.verifier-id': undefined }), 'ear-malformed'],
  ['a verifier without a build', jwt({ 'ear.verifier-id': { developer: 'd' } }), 'ear-malformed'],
  ['raw evidence that is not base64url', jwt({ 'ear.raw-evidence': 'a+b/' }), 'ear-malformed'],
  ['no submodules', jwt({ submods: undefined }), 'ear-malformed'],
  ['an empty map of submodules', jwt({ submods: {} }), 'ear-malformed'],
  [
    'a trustworthiness vector that is no map',
    jwt(submod({ 'ear.trustworthiness-vector': [2] })),
    'ear-malformed',
  ],
  [
    'a key attestation that is no map',
    jwt(submod({ 'ear.veraison.key-attestation': 'akpub' })),
    'ear-malformed',
  ],
  [
    'a key that is no text',
    jwt(submod({ 'ear.veraison.key-attestation': { akpub: 7 } })),
    'ear-malformed',
  ],
  ['a nested token as a submodule', jwt({ submods: { x: ['JWT', 'a.b.c'] } }), 'ear-malformed'],
  ['no status', jwt(submod({ 'ear.status': undefined })), 'ear-malformed'],
  ['a status that is a number', jwt(submod({ 'ear.status': 2 })), 'ear-malformed'],
  ['a status that nobody knows', jwt(submod({ 'ear.status': 'fine' })), 'ear-malformed'],
  [
    'a vector value of 200',
    jwt(submod({ 'ear.trustworthiness-vector': { hardware: 200 } })),
    'ear-malformed',
  ],
  [
    'a vector value as text',
    jwt(submod({ 'ear.trustworthiness-vector': { hardware: '2' } })),
    'ear-malformed',
  ],
  [
    'a vector claim that nobody knows',
    jwt(submod({ 'ear.trustworthiness-vector': { mood: 2 } })),
    'ear-malformed',
  ],
  [
    'a list of policies in a profile of one',
    jwt(submod({ 'ear.appraisal-policy-id': ['a'] })),
    'ear-malformed',
  ],
  [
    'a key that is text of no bytes',
    jwt(submod({ 'ear.veraison.key-attestation': { akpub: '' } })),
    'ear-malformed',
  ],
];

const PROTECTED = encodeCbor(new Map([[1, -7]]));
const CBOR_CLAIMS = new Map<number, Tree>([
  [265, 'tag:ietf.org,2026:rats/ear#03'],
  [6, IAT],
  [10, NONCE],
  [
    1004,
    new Map([
      [0, 'd'],
      [1, 'b'],
    ]),
  ],
  [
    266,
    new Map([
      [
        'x',
        new Map<number, Tree>([
          [1000, 2],
          [1001, new Map([[4, 2]])],
        ]),
      ],
    ]),
  ],
]);

const cwt = (changes: readonly (readonly [number, Tree])[] = []): Uint8Array =>
  cwtOf(PROTECTED, encodeCbor(new Map([...CBOR_CLAIMS, ...changes])));
const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const headed = (header: Uint8Array, unprotected?: ReadonlyMap<number, Tree>): Uint8Array =>
  cwtOf(header, encodeCbor(CBOR_CLAIMS), unprotected);

const CWTS: readonly (readonly [what: string, token: Uint8Array, code: string])[] = [
  ['nothing else', cwt(), 'accepted'],
  ['the tag of a CWT around it', Buffer.concat([hex('d83d'), cwt()]), 'accepted'],
  [
    'a claim and a header that nobody knows',
    cwtOf(
      encodeCbor(
        new Map([
          [1, -7],
          [99, 1],
        ]),
      ),
      encodeCbor(new Map([...CBOR_CLAIMS, [-99999, [1]]])),
    ),
    'accepted',
  ],
  ['no tag', cwt().subarray(1), 'ear-malformed'],
  ['another tag', Buffer.concat([hex('d83e'), cwt()]), 'ear-malformed'],
  ['the tag of a MAC', Buffer.concat([hex('d1'), cwt().subarray(1)]), 'ear-malformed'],
  ['a byte behind it', Buffer.concat([cwt(), hex('00')]), 'ear-malformed'],
  ['no payload in it', encodeCbor(null), 'ear-malformed'],
  ['numbers for its four parts', encodeCbor(new TaggedItem(18, [1, 2, 3, 4])), 'ear-malformed'],
  [
    'headers that are no map',
    encodeCbor(new TaggedItem(18, [PROTECTED, PROTECTED, PROTECTED, PROTECTED])),
    'ear-malformed',
  ],
  [
    'three parts',
    encodeCbor(new TaggedItem(18, [PROTECTED, new Map(), PROTECTED])),
    'ear-malformed',
  ],
  ['more bytes than any token has', new Uint8Array(MAX_TOKEN_SIZE + 1), 'ear-malformed'],
  ['a submodule whose name is a number', cwt([[266, new Map([[1, new Map()]])]]), 'ear-malformed'],
  ['an empty protected header', headed(new Uint8Array()), 'ear-algorithm'],
  [
    'an algorithm that is not protected',
    headed(new Uint8Array(), new Map([[1, -7]])),
    'ear-malformed',
  ],
  ['the algorithm in both headers', headed(PROTECTED, new Map([[1, -7]])), 'ear-malformed'],
  [
    'a key identifier in both headers',
    headed(
      encodeCbor(
        new Map<number, Tree>([
          [1, -7],
          [4, hex('01')],
        ]),
      ),
      new Map([[4, hex('02')]]),
    ),
    'ear-malformed',
  ],
  [
    'a critical header parameter',
    headed(
      encodeCbor(
        new Map<number, Tree>([
          [1, -7],
          [2, [99]],
          [99, 1],
        ]),
      ),
    ),
    'ear-critical',
  ],
  [
    'a critical header parameter that is not protected',
    headed(PROTECTED, new Map<number, Tree>([[2, [99]]])),
    'ear-critical',
  ],
  ['HMAC as its algorithm', headed(encodeCbor(new Map([[1, 5]]))), 'ear-algorithm'],
  [
    'the algorithm as text',
    headed(encodeCbor(new Map<number, Tree>([[1, 'ES256']]))),
    'ear-algorithm',
  ],
  ['the algorithm of another key', headed(encodeCbor(new Map([[1, -8]]))), 'ear-algorithm'],
  ['a protected header that is a list', headed(encodeCbor([1, -7])), 'ear-malformed'],
  ['an algorithm twice', headed(hex('a201260126')), 'ear-malformed'],
  ['a claim twice', cwtOf(PROTECTED, hex('a206010602')), 'ear-malformed'],
  ['claims that are a list', cwtOf(PROTECTED, hex('80')), 'ear-malformed'],
  [
    'claims of indefinite length, as other verifiers write them',
    cwtOf(PROTECTED, Buffer.concat([hex('bf'), encodeCbor(CBOR_CLAIMS).subarray(1), hex('ff')])),
    'accepted',
  ],
  ['claims of indefinite length without an end', cwtOf(PROTECTED, hex('bf0601')), 'ear-malformed'],
  [
    'a claim twice in claims of indefinite length',
    cwtOf(PROTECTED, hex('bf06010602ff')),
    'ear-malformed',
  ],
  ['a header of indefinite length', headed(hex('bf0126ff')), 'ear-malformed'],
  [
    'a time as a float',
    cwtOf(PROTECTED, Buffer.concat([hex('a106'), hex('fb41da8a5f00000000')])),
    'ear-profile',
  ],
  ['a time with the tag of times', cwt([[6, new TaggedItem(1, IAT)]]), 'ear-malformed'],
  ['a nonce as text', cwt([[10, 'AAAAAAAAAAAAAAAA']]), 'ear-malformed'],
  ['the nonce of another request', cwt([[10, new Uint8Array(32)]]), 'ear-nonce'],
  ['a time that is ahead', cwt([[6, IAT + 31]]), 'ear-time'],
  [
    'an end that has passed',
    cwt([
      [6, IAT - 60],
      [4, IAT - 30],
    ]),
    'ear-time',
  ],
  [
    'a status as text',
    cwt([[266, new Map([['x', new Map([[1000, 'affirming']])]])]]),
    'ear-malformed',
  ],
  [
    'a status between the tiers',
    cwt([[266, new Map([['x', new Map([[1000, 3]])]])]]),
    'ear-malformed',
  ],
  [
    'a vector claim 8',
    cwt([
      [
        266,
        new Map([
          [
            'x',
            new Map<number, Tree>([
              [1000, 2],
              [1001, new Map([[8, 2]])],
            ]),
          ],
        ]),
      ],
    ]),
    'ear-malformed',
  ],
  [
    'an empty list of policies',
    cwt([
      [
        266,
        new Map([
          [
            'x',
            new Map<number, Tree>([
              [1000, 2],
              [1003, []],
            ]),
          ],
        ]),
      ],
    ]),
    'ear-malformed',
  ],
];

describe('a reader of attestation results', () => {
  it.each(JWTS)('decides on a JWT with %s', async (_, token, code) => {
    expect(await codeOfLater(verifyEarJwt(token, options()))).toBe(code);
  });

  it.each(CWTS)('decides on a CWT with %s', async (_, token, code) => {
    expect(await codeOfLater(verifyEarCwt(token, options()))).toBe(code);
  });

  it('reports the worst, where a status is better than its vector, or the whole better than a part', async () => {
    const vector = { 'ear.trustworthiness-vector': { hardware: 2, configuration: 96 } };
    expect(await verifyEarJwt(jwt(submod(vector)), options())).toMatchObject({
      status: 'contraindicated',
    });
    const part = new Map([['x', new Map([[1000, 32]])]]);
    expect(
      await verifyEarCwt(
        cwt([
          [1000, 2],
          [266, part],
        ]),
        options(),
      ),
    ).toMatchObject({
      status: 'warning',
    });
    expect(await verifyEarCwt(cwt([[1000, 96]]), options())).toMatchObject({
      status: 'contraindicated',
    });
  });

  it('takes only the profiles that its caller allows', async () => {
    const only = options({ profiles: ['ietf-03'] });
    expect(await codeOfLater(verifyEarJwt(jwt({}), only))).toBe('ear-profile');
  });

  it('finds the key among several, and takes an old result where that is said', async () => {
    const keys = [KEYS.EdDSA, { ...KEYS.ES256, publicKey: otherKey() }, KEYS.ES256];
    const given = options({ keys, nonce: 'any-explicit' });
    expect(await codeOfLater(verifyEarJwt(jwt({ eat_nonce: undefined }), given))).toBe('accepted');
  });

  it('finds the key beside one that is malformed', async () => {
    const keys = [{ ...KEYS.ES256, publicKey: new Uint8Array(5) }, KEYS.ES256];
    expect(await codeOfLater(verifyEarJwt(jwt({}), options({ keys })))).toBe('accepted');
  });

  it('gives submodules that nobody can change', async () => {
    const { submods } = await verifyEarJwt(jwt({}), options());
    expect('set' in submods).toBe(false);
    expect(() => Map.prototype.delete.call(submods, 'x')).toThrow(TypeError);
    expect([submods.size, submods.has('x'), [...submods.keys()]]).toEqual([1, true, ['x']]);
    const seen: unknown[] = [];
    submods.forEach((value, key, map) => {
      seen.push(value, key, map);
    });
    expect(seen).toEqual([submods.get('x'), 'x', submods]);
    expect([...submods.values()]).toEqual([...submods.entries()].map(([, value]) => value));
  });

  it.each<[string, object]>([
    ['no key', { keys: [] }],
    ['a nonce of four bytes', { nonce: new Uint8Array(4) }],
    ['no age', { maxAgeSeconds: 0 }],
    ['any age', { maxAgeSeconds: Number.POSITIVE_INFINITY }],
    ['an hour of skew', { skewSeconds: 3600 }],
    ['no time', { now: new Date(Number.NaN) }],
  ])('refuses to be called with %s', async (_, wrong) => {
    await expect(verifyEarJwt(jwt({}), options(wrong))).rejects.toThrow(RangeError);
  });

  it('refuses a key that is not one for its algorithm', async () => {
    const keys = [{ algorithm: 'ES256', publicKey: KEYS.ES384.publicKey } as const];
    await expect(verifyEarJwt(jwt({}), options({ keys }))).rejects.toThrow(TypeError);
  });
});

function otherKey(): Uint8Array {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return publicKey.export({ format: 'der', type: 'spki' });
}

describe('a token with changed bytes', () => {
  let goodJwt = '';
  let goodCwt = new Uint8Array();
  beforeAll(async () => {
    goodJwt = await signEarJwt(EAR, { key: KEYS.ES256 });
    goodCwt = Uint8Array.from(await signEarCwt(EAR, { key: KEYS.ES256 }));
  });

  it('refuses a token with a code, wherever its bytes are changed', { timeout: FUZZ_TIMEOUT }, () =>
    fuzz(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (where, change) => {
        const bytes = goodCwt.slice();
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        expect(await codeOfLater(verifyEarCwt(bytes, options()))).toMatch(/^ear-/);
        const text = Buffer.from(goodJwt);
        const index = where % text.length;
        text[index] = (text[index] ?? 0) ^ (change & 0x7f || 1);
        expect(await codeOfLater(verifyEarJwt(text.toString('latin1'), options()))).toMatch(
          /^ear-/,
        );
      }),
      5,
    ),
  );

  it('refuses arbitrary tokens with a code', { timeout: FUZZ_TIMEOUT }, () =>
    fuzz(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.string(), async (bytes, text) => {
        expect(await codeOfLater(verifyEarCwt(bytes, options()))).toMatch(/^ear-/);
        expect(await codeOfLater(verifyEarJwt(text, options()))).toMatch(/^ear-/);
      }),
    ),
  );
});
