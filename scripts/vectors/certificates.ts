/**
 * Endorsement key certificates with one fault each, by encoding, name, key, issuer and time; those
 * of extensions are in `extensions.ts`.
 *
 * @module
 */
import { createECDH } from 'node:crypto';
import { pssAlgorithm } from '../../attestation/src/certificates/algorithms.ts';
import { rsaSubjectPublicKeyInfo } from '../../attestation/src/certificates/keys.ts';
import type { NameFields } from '../../attestation/src/certificates/name.ts';
import { Tag } from '../../attestation/src/der/tags.ts';
import {
  bitString,
  explicit,
  integer,
  oid,
  sequence,
  time,
  value,
} from '../../attestation/src/der/writer.ts';
import { nameOf, SIMULATED_ORGANIZATION } from '../../attestation/src/simulated/names.ts';
import type { VerifyCode } from '../../attestation/src/verify/checks.ts';
import { children, DAY, forgeVek, replace, type VekForgery } from './forge.ts';
import { type EvidenceVector, NOW } from './format.ts';
import { CHAIN, evidenceOf } from './processor.ts';

type Case = readonly [name: string, expected: VerifyCode, comment: string, forgery: VekForgery];

const START = Date.parse(NOW);
const SHA_384 = sequence(oid('2.16.840.1.101.3.4.2.2'), value(Tag.NULL));
const SHA_256 = sequence(oid('2.16.840.1.101.3.4.2.1'), value(Tag.NULL));
const RSA_PSS = oid('1.2.840.113549.1.1.10');
const EC = oid('1.2.840.10045.2.1');
const P384 = oid('1.3.132.0.34');

/** A change to the n-th value of what is signed. */
const inTbs = (index: number, change: (bytes: Uint8Array) => Uint8Array | undefined) => ({
  tbs: (tbs: Uint8Array) => replace(tbs, index, change),
});

const behind = (...more: Uint8Array[]) => ({
  tbs: (tbs: Uint8Array) => sequence(...children(tbs), ...more),
});

const ENCODING: readonly Case[] = [
  ['empty', 'vek-encoding', 'No byte at all.', { whole: () => new Uint8Array() }],
  ['truncated', 'vek-encoding', 'A byte short.', { whole: (der) => der.subarray(0, -1) }],
  [
    'trailing-byte',
    'vek-encoding',
    'A byte behind the certificate.',
    { whole: (der) => Buffer.concat([der, Buffer.of(0)]) },
  ],
  [
    'twice',
    'vek-encoding',
    'Another certificate behind the certificate.',
    { whole: (der) => Buffer.concat([der, der]) },
  ],
  [
    'pem',
    'vek-encoding',
    'PEM where there must be DER.',
    { whole: (der) => Buffer.from(Buffer.from(der).toString('base64')) },
  ],
  [
    'indefinite-length',
    'vek-encoding',
    'BER with an indefinite length.',
    { whole: (der) => Buffer.concat([Buffer.of(0x30, 0x80), der.subarray(4), Buffer.of(0, 0)]) },
  ],
  [
    'long-length',
    'vek-encoding',
    'A length in more octets than it takes.',
    { whole: (der) => Buffer.concat([Buffer.of(0x30, 0x83, 0), der.subarray(2)]) },
  ],
  [
    'oversized',
    'vek-encoding',
    'More than 4096 bytes.',
    { fields: { cspId: 'C'.repeat(250) }, ...behind(value(0xa4, new Uint8Array(4096))) },
  ],
  ['version-1', 'vek-encoding', 'X.509 version 1.', inTbs(0, () => undefined)],
  ['version-2', 'vek-encoding', 'X.509 version 2.', inTbs(0, () => explicit(0, integer(1)))],
  [
    'serial-negative',
    'vek-encoding',
    'A serial number below zero.',
    inTbs(1, () => Uint8Array.of(2, 1, 0x80)),
  ],
  [
    'serial-padded',
    'vek-encoding',
    'A serial number with a needless octet.',
    inTbs(1, () => Uint8Array.of(2, 2, 0, 1)),
  ],
  [
    'serial-long',
    'vek-encoding',
    'A serial number of 21 octets.',
    inTbs(1, () => integer(new Uint8Array(21).fill(1))),
  ],
  [
    'generalized-time',
    'vek-encoding',
    'GeneralizedTime before 2050 (RFC 5280, 4.1.2.5).',
    inTbs(4, (validity) => {
      const [, notAfter = new Uint8Array()] = children(validity);
      return sequence(value(Tag.GENERALIZED_TIME, Buffer.from('20260531000000Z')), notAfter);
    }),
  ],
  [
    'time-without-seconds',
    'vek-encoding',
    'UTCTime without seconds.',
    inTbs(4, () => sequence(value(Tag.UTC_TIME, Buffer.from('2605310000Z')), time(START + DAY))),
  ],
  [
    'time-with-offset',
    'vek-encoding',
    'UTCTime of another zone.',
    inTbs(4, () =>
      sequence(value(Tag.UTC_TIME, Buffer.from('260531000000+0100')), time(START + DAY)),
    ),
  ],
  [
    'time-of-no-calendar',
    'vek-encoding',
    'The 31st of June.',
    inTbs(4, () => sequence(value(Tag.UTC_TIME, Buffer.from('260631000000Z')), time(START + DAY))),
  ],
  [
    'one-time',
    'vek-encoding',
    'A validity without an end.',
    inTbs(4, () => sequence(time(START - DAY))),
  ],
  [
    'unique-identifier',
    'vek-encoding',
    'A subjectUniqueID, which nobody has.',
    {
      tbs: (tbs) => {
        const parts = children(tbs);
        return sequence(...parts.slice(0, 7), value(0x82, Uint8Array.of(0, 1)), ...parts.slice(7));
      },
    },
  ],
  ['field-behind', 'vek-encoding', 'A value behind the extensions.', behind(integer(1))],
  [
    'signature-short',
    'vek-encoding',
    'A signature of 511 octets.',
    { signature: (signature) => signature.subarray(1) },
  ],
  [
    'signature-unused-bits',
    'vek-encoding',
    'A signature that is not of whole octets.',
    {
      whole: (der) => {
        const [tbs = der, algorithm = der, signature = der] = children(der);
        const odd = Uint8Array.from(signature);
        odd[4] = 1;
        return sequence(tbs, algorithm, odd);
      },
    },
  ],
];

const pss = (...parameters: Uint8Array[]) => sequence(RSA_PSS, sequence(...parameters));
const mgf1 = (hash: Uint8Array) => sequence(oid('1.2.840.113549.1.1.8'), hash);
const both = (algorithm: Uint8Array): VekForgery => ({ algorithm, ...inTbs(2, () => algorithm) });

const ALGORITHM: readonly Case[] = [
  [
    'algorithm-differs-outside',
    'vek-algorithm',
    'The algorithm beside the signature is not the one that is signed, though each would do.',
    { algorithm: pssAlgorithm(true) },
  ],
  [
    'algorithm-sha256',
    'vek-algorithm',
    'RSASSA-PSS with SHA-256.',
    both(pss(explicit(0, SHA_256), explicit(1, mgf1(SHA_256)), explicit(2, integer(32)))),
  ],
  [
    'algorithm-mgf1-sha256',
    'vek-algorithm',
    'A mask of another hash.',
    both(pss(explicit(0, SHA_384), explicit(1, mgf1(SHA_256)), explicit(2, integer(48)))),
  ],
  [
    'algorithm-salt-32',
    'vek-algorithm',
    'A salt of 32 octets.',
    both(pss(explicit(0, SHA_384), explicit(1, mgf1(SHA_384)), explicit(2, integer(32)))),
  ],
  [
    'algorithm-trailer-2',
    'vek-algorithm',
    'Another trailer field.',
    both(
      pss(
        explicit(0, SHA_384),
        explicit(1, mgf1(SHA_384)),
        explicit(2, integer(48)),
        explicit(3, integer(2)),
      ),
    ),
  ],
  ['algorithm-defaults', 'vek-algorithm', 'Parameters left out: SHA-1.', both(sequence(RSA_PSS))],
  [
    'algorithm-pkcs1',
    'vek-algorithm',
    'sha384WithRSAEncryption.',
    both(sequence(oid('1.2.840.113549.1.1.12'), value(Tag.NULL))),
  ],
  [
    'algorithm-ecdsa',
    'vek-algorithm',
    'ecdsa-with-SHA384.',
    both(sequence(oid('1.2.840.10045.4.3.3'))),
  ],
];

const named = (commonName: string): NameFields => ({ ...nameOf('vcek'), commonName });
const organized = (organization: NameFields['organization']) => ({
  subject: { ...nameOf('vcek'), organization },
});
const AMD: NameFields = {
  organization: [
    { type: 'OU', value: 'Engineering' },
    { type: 'C', value: 'US' },
    { type: 'L', value: 'Santa Clara' },
    { type: 'ST', value: 'CA' },
    { type: 'O', value: 'Advanced Micro Devices' },
  ],
  commonName: 'SEV-VCEK',
};

const NAMES: readonly Case[] = [
  ['subject-of-amd', 'vek-subject', "AMD's own name.", { fields: { subject: AMD } }],
  [
    'subject-of-authority',
    'vek-subject',
    'The name of the ASK.',
    { fields: { subject: nameOf('ask') } },
  ],
  [
    'subject-prefix',
    'vek-subject',
    'A name that only begins as it should.',
    { fields: { subject: named('SIMULATED-VCEK-2') } },
  ],
  [
    'subject-case',
    'vek-subject',
    'Names are compared letter by letter.',
    { fields: { subject: named('simulated-vcek') } },
  ],
  [
    'subject-order',
    'vek-subject',
    'The attributes in another order.',
    { fields: organized([...SIMULATED_ORGANIZATION].reverse()) },
  ],
  [
    'subject-without-organization',
    'vek-subject',
    'A common name alone.',
    { fields: organized([]) },
  ],
  [
    'subject-attribute-injected',
    'vek-subject',
    'A common name that looks as if it were two attributes.',
    { fields: { subject: { organization: [], commonName: 'x, CN=SIMULATED-VCEK' } } },
  ],
  [
    'issuer-asvk',
    'vek-issuer',
    'A VCEK of the authority over VLEKs.',
    { fields: { issuer: nameOf('asvk') }, signer: 'asvk' },
  ],
  [
    'issuer-ark',
    'vek-issuer',
    'A VCEK of the root itself.',
    { fields: { issuer: nameOf('ark') }, signer: 'ark' },
  ],
  [
    'issuer-amd',
    'vek-issuer',
    "The name of AMD's intermediate.",
    { fields: { issuer: { ...AMD, commonName: 'SEV-Milan' } } },
  ],
  [
    'self-issued',
    'vek-issuer',
    'A certificate that names itself.',
    { fields: { issuer: nameOf('vcek') } },
  ],
];

const point = (curve: string, compressed = false) => {
  const ecdh = createECDH(curve);
  ecdh.generateKeys();
  return ecdh.getPublicKey(null, compressed ? 'compressed' : 'uncompressed');
};
const ecKey = (curve: Uint8Array, bytes: Uint8Array) =>
  sequence(sequence(EC, curve), bitString(bytes));

const KEYS: readonly Case[] = [
  [
    'key-p256',
    'vek-public-key',
    'A key on P-256.',
    { key: ecKey(oid('1.2.840.10045.3.1.7'), point('prime256v1')) },
  ],
  [
    'key-p521',
    'vek-public-key',
    'A key on P-521.',
    { key: ecKey(oid('1.3.132.0.35'), point('secp521r1')) },
  ],
  [
    'key-compressed',
    'vek-public-key',
    'A compressed point.',
    { key: ecKey(P384, point('secp384r1', true)) },
  ],
  [
    'key-beside-curve',
    'vek-public-key',
    'A point that is not on the curve.',
    { key: ecKey(P384, Buffer.concat([Buffer.of(4), Buffer.alloc(96, 0x11)])) },
  ],
  [
    'key-zero',
    'vek-public-key',
    'A point of zeros.',
    { key: ecKey(P384, Buffer.concat([Buffer.of(4), Buffer.alloc(96)])) },
  ],
  ['key-infinity', 'vek-public-key', 'No point.', { key: ecKey(P384, Buffer.of(0)) }],
  [
    'key-rsa',
    'vek-public-key',
    'An RSA key.',
    { key: rsaSubjectPublicKeyInfo({ modulus: Buffer.alloc(512, 0xff) }) },
  ],
];

const SIGNATURES: readonly Case[] = [
  ['signed-by-asvk', 'vek-signature', 'The ASVK signed a VCEK.', { signer: 'asvk' }],
  ['signed-by-ark', 'vek-signature', 'The root signed a VCEK.', { signer: 'ark' }],
  ['signed-by-ask', 'vek-signature', 'The ASK signed a VLEK.', { kind: 'VLEK', signer: 'ask' }],
  [
    'signature-flipped',
    'vek-signature',
    'A bit of the signature flipped.',
    { signature: (signature) => signature.map((byte, index) => (index === 511 ? byte ^ 1 : byte)) },
  ],
  [
    'signature-zero',
    'vek-signature',
    'A signature of zeros.',
    { signature: () => new Uint8Array(512) },
  ],
  [
    'signature-above-modulus',
    'vek-signature',
    'A signature above the modulus.',
    { signature: () => new Uint8Array(512).fill(0xff) },
  ],
  [
    'hwid-changed-after-signing',
    'vek-signature',
    'Another HWID under the signature of a good certificate.',
    {
      whole: (der) => {
        const copy = Buffer.from(der);
        const at = copy.indexOf(CHAIN.chip.id);
        copy[at] = Number(copy[at]) ^ 1;
        return copy;
      },
    },
  ],
  [
    'validity-ended',
    'vek-validity',
    'Valid until a second before.',
    { fields: { notAfter: START - 1000 } },
  ],
  [
    'validity-to-begin',
    'vek-validity',
    'Valid from a second later.',
    { fields: { notBefore: START + 1000 } },
  ],
  [
    'validity-reversed',
    'vek-validity',
    'Ends before it begins.',
    { fields: { notBefore: START + DAY, notAfter: START - DAY } },
  ],
];

const GOOD: readonly (readonly [name: string, comment: string, forgery: VekForgery])[] = [
  ['trailer-field', 'The other encoding of the algorithm.', both(pssAlgorithm(true))],
  ['last-second', 'Valid to this very second.', { fields: { notAfter: START } }],
  ['first-second', 'Valid from this very second.', { fields: { notBefore: START } }],
  ['serial-above-zero', "AMD's are all zero; others are as good.", { fields: { serial: '0102' } }],
  [
    'extensions-reordered',
    'Extensions have no order.',
    { extensions: (list) => [...list].reverse() },
  ],
];

export function certificateVectors(): EvidenceVector[] {
  const bad = [ENCODING, ALGORITHM, NAMES, KEYS, SIGNATURES].flat();
  return [
    {
      name: 'none',
      comment: 'No certificate came along.',
      evidence: { report: evidenceOf().report },
      expected: { verify: 'vek-supplied' },
    },
    ...bad.map(([name, verify, comment, forgery]) => vector(name, comment, forgery, verify)),
    ...GOOD.map(([name, comment, forgery]) => vector(name, comment, forgery, 'accepted')),
  ];
}

/** A good report with a forged certificate beside it. */
export function vector(
  name: string,
  comment: string,
  forgery: VekForgery,
  verify: EvidenceVector['expected']['verify'],
): EvidenceVector {
  const { model = 'Milan', kind = 'VCEK' } = forgery;
  const { report } = evidenceOf({ model, request: { signingKey: kind } });
  return { name, comment, evidence: { report, vek: forgeVek(forgery) }, expected: { verify } };
}
