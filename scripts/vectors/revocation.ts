/**
 * Good evidence beside revocation lists that a verifier must accept or refuse.
 *
 * @module
 */
import { pssAlgorithm } from '../../attestation/src/certificates/algorithms.ts';
import { type Extension, encodeExtensions } from '../../attestation/src/certificates/extensions.ts';
import { Tag } from '../../attestation/src/der/tags.ts';
import {
  explicit,
  integer,
  octetString,
  oid,
  sequence,
  time,
  value,
} from '../../attestation/src/der/writer.ts';
import type { VekKind } from '../../attestation/src/simulated/authorities/certify-vek.ts';
import { nameOf, SIMULATED_SERIALS } from '../../attestation/src/simulated/authorities/names.ts';
import { type CrlForgery, children, DAY, forgeCrl, replace } from './forge.ts';
import { type EvidenceVector, NOW } from './format.ts';
import { CHAIN, evidenceOf, processor } from './processor.ts';

type Verdict = EvidenceVector['expected']['verify'];
type Case = readonly [
  name: string,
  verify: Verdict,
  comment: string,
  forgery: CrlForgery,
  signingKey?: VekKind,
];

const START = Date.parse(NOW);
const LISTED = START - DAY;
const revoked = (...serials: string[]) => ({
  fields: { revoked: new Map(serials.map((serial) => [serial, LISTED])) },
});

/**
 * What is signed: version, algorithm, issuer, two times, entries where there are any, extensions.
 */
const LAST = 5;
const NUMBER: Extension = { id: '2.5.29.20', critical: false, value: integer(100) };
const KEY_ID: Extension = {
  id: '2.5.29.35',
  critical: false,
  value: sequence(value(0x80, Buffer.from(CHAIN.ark.subjectKeyId, 'hex'))),
};
const extensions = (...list: Extension[]): CrlForgery => ({
  tbs: (tbs) => replace(tbs, LAST, () => explicit(0, encodeExtensions(list))),
});

const entry = (serial: number, ...more: Uint8Array[]) =>
  sequence(integer(serial), time(LISTED), ...more);
const entries = (...list: Uint8Array[]): CrlForgery => ({
  tbs: (tbs) => {
    const parts = children(tbs);
    return sequence(...parts.slice(0, LAST), sequence(...list), ...parts.slice(LAST));
  },
});
const reason = (code: number) =>
  encodeExtensions([
    { id: '2.5.29.21', critical: false, value: value(Tag.ENUMERATED, Buffer.of(code)) },
  ]);
const pkcs1 = sequence(oid('1.2.840.113549.1.1.12'), value(Tag.NULL));

const CASES: readonly Case[] = [
  ['nobody-revoked', 'accepted', 'An empty list.', {}],
  ['others-revoked', 'accepted', 'Authorities of others are revoked.', revoked('020001', '5a00')],
  [
    'asvk-revoked',
    'accepted',
    'The authority over VLEKs is revoked; a VCEK is none of them.',
    revoked(SIMULATED_SERIALS.asvk),
  ],
  [
    'trailer-field',
    'accepted',
    'The other encoding of the algorithm.',
    { fields: { trailerField: true }, algorithm: pssAlgorithm(true) },
  ],
  ['last-second', 'accepted', 'Current to this very second.', { fields: { nextUpdate: START } }],
  ['with-reason', 'accepted', 'An entry with its reason.', entries(entry(0x020001, reason(1)))],
  [
    'ask-revoked',
    'revocation',
    'The authority over VCEKs is revoked.',
    revoked(SIMULATED_SERIALS.ask),
  ],
  [
    'ask-revoked-among-others',
    'revocation',
    'It stands behind others.',
    revoked('01', '020001', SIMULATED_SERIALS.ask),
  ],
  ['ark-revoked', 'revocation', 'The root has revoked itself.', revoked(SIMULATED_SERIALS.ark)],
  [
    'asvk-revoked-vlek',
    'revocation',
    'The authority over VLEKs is revoked.',
    revoked(SIMULATED_SERIALS.asvk),
    'VLEK',
  ],
  ['empty', 'crl-encoding', 'No byte at all.', { whole: () => new Uint8Array() }],
  ['truncated', 'crl-encoding', 'A byte short.', { whole: (der) => der.subarray(0, -1) }],
  [
    'trailing-byte',
    'crl-encoding',
    'A byte behind the list.',
    { whole: (der) => Buffer.concat([der, Buffer.of(0)]) },
  ],
  [
    'version-1',
    'crl-encoding',
    'A list of version 1.',
    { tbs: (tbs) => replace(tbs, 0, () => undefined) },
  ],
  [
    'version-3',
    'crl-encoding',
    'A list of version 3.',
    { tbs: (tbs) => replace(tbs, 0, () => integer(2)) },
  ],
  [
    'without-next-update',
    'crl-encoding',
    'A list that is good for ever.',
    { tbs: (tbs) => replace(tbs, 4, () => undefined) },
  ],
  [
    'algorithm-differs',
    'crl-encoding',
    'Two encodings of the algorithm.',
    { algorithm: pssAlgorithm(true) },
  ],
  [
    'algorithm-pkcs1',
    'crl-encoding',
    'sha384WithRSAEncryption.',
    { algorithm: pkcs1, tbs: (tbs) => replace(tbs, 1, () => pkcs1) },
  ],
  [
    'without-extensions',
    'crl-encoding',
    'No extension at all.',
    { tbs: (tbs) => replace(tbs, LAST, () => undefined) },
  ],
  ['without-number', 'crl-encoding', 'Without cRLNumber.', extensions(KEY_ID)],
  ['number-doubled', 'crl-encoding', 'Twice with cRLNumber.', extensions(KEY_ID, NUMBER, NUMBER)],
  [
    'number-negative',
    'crl-encoding',
    'A cRLNumber below zero.',
    extensions(KEY_ID, { ...NUMBER, value: Buffer.of(2, 1, 0x80) }),
  ],
  [
    'number-long',
    'crl-encoding',
    'A cRLNumber of 21 octets.',
    extensions(KEY_ID, { ...NUMBER, value: integer(Buffer.alloc(21, 1)) }),
  ],
  ['without-key-id', 'crl-encoding', 'Without authority key identifier.', extensions(NUMBER)],
  [
    'delta',
    'crl-encoding',
    'A list of changes to another.',
    extensions(KEY_ID, NUMBER, { id: '2.5.29.27', critical: true, value: integer(99) }),
  ],
  [
    'unknown-extension',
    'crl-encoding',
    'An extension that nobody knows.',
    extensions(KEY_ID, NUMBER, {
      id: '2.5.29.99',
      critical: false,
      value: octetString(Buffer.of(0)),
    }),
  ],
  ['entry-doubled', 'crl-encoding', 'An entry twice.', entries(entry(7), entry(7))],
  [
    'entry-taken-back',
    'crl-encoding',
    'An entry that takes the ASK back.',
    entries(entry(0x5a0001, reason(8))),
  ],
  ['entries-empty', 'crl-encoding', 'A list of entries without one.', entries()],
  [
    'issued-by-ask',
    'crl-issuer',
    'The intermediate issued it.',
    { fields: { issuer: nameOf('ask') }, signer: 'ask' },
  ],
  [
    'issued-by-another',
    'crl-issuer',
    'The root of another product issued it.',
    { fields: { issuer: { ...nameOf('ark'), commonName: 'ARK-Milan' } } },
  ],
  [
    'signed-by-ask',
    'crl-signature',
    'The intermediate signed it in the name of the root.',
    { signer: 'ask' },
  ],
  [
    'signature-flipped',
    'crl-signature',
    'A bit of the signature flipped.',
    { signature: (bytes) => bytes.map((byte, at) => (at === 9 ? byte ^ 4 : byte)) },
  ],
  [
    'stale',
    'crl-validity',
    'Out of date since a second ago.',
    { fields: { nextUpdate: START - 1000 } },
  ],
  ['of-tomorrow', 'crl-validity', 'Not valid yet.', { fields: { thisUpdate: START + 1000 } }],
];

export function revocationVectors(): EvidenceVector[] {
  const forged = CASES.map(
    ([name, verify, comment, forgery, signingKey = 'VCEK']): EvidenceVector => ({
      name,
      comment,
      evidence: evidenceOf({ request: { signingKey } }),
      crl: forgeCrl(forgery),
      expected: { verify },
    }),
  );
  const behaved = (['stale-crl', 'future-crl', 'revoked-ask'] as const).map(
    (misbehaviour): EvidenceVector => ({
      name: `misbehaviour-${misbehaviour}`,
      comment: `As the simulated processor makes it: ${misbehaviour}.`,
      evidence: evidenceOf(),
      crl: processor({ misbehave: [misbehaviour] }).crl(),
      expected: { verify: misbehaviour === 'revoked-ask' ? 'revocation' : 'crl-validity' },
    }),
  );
  return [...forged, ...behaved];
}
