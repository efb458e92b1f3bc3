/**
 * Endorsement key certificates with one fault each in their encoding or their algorithm.
 *
 * @module
 */
import { pssAlgorithm } from '../../attestation/src/certificates/algorithms.ts';
import { Tag } from '../../attestation/src/der/tags.ts';
import { explicit, integer, oid, sequence, time, value } from '../../attestation/src/der/writer.ts';
import type { VerifyCode } from '../../attestation/src/verify/verify-checks.ts';
import { children, DAY, replace, type VekForgery } from './forge.ts';
import { NOW } from './format.ts';

/** What differs, and which check has to refuse it. */
export type VekCase = readonly [
  name: string,
  expected: VerifyCode,
  comment: string,
  forgery: VekForgery,
];

const START = Date.parse(NOW);
const SHA_384 = sequence(oid('2.16.840.1.101.3.4.2.2'), value(Tag.NULL));
const SHA_256 = sequence(oid('2.16.840.1.101.3.4.2.1'), value(Tag.NULL));
const RSA_PSS = oid('1.2.840.113549.1.1.10');

/** A change to the n-th value of what is signed. */
const inTbs = (index: number, change: (bytes: Uint8Array) => Uint8Array | undefined) => ({
  tbs: (tbs: Uint8Array) => replace(tbs, index, change),
});

const behind = (...more: Uint8Array[]) => ({
  tbs: (tbs: Uint8Array) => sequence(...children(tbs), ...more),
});

export const ENCODING: readonly VekCase[] = [
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
  ['oversized', 'vek-encoding', 'More than 4096 bytes.', behind(value(0xa4, new Uint8Array(4096)))],
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
export const both = (algorithm: Uint8Array): VekForgery => ({
  algorithm,
  ...inTbs(2, () => algorithm),
});

export const ALGORITHM: readonly VekCase[] = [
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
