/**
 * Endorsement key certificates with one fault each; those of encoding and extensions are in
 * `certificate-encoding.ts` and `extensions.ts`.
 *
 * @module
 */
import { createECDH } from 'node:crypto';
import { pssAlgorithm } from '../../attestation/src/certificates/algorithms.ts';
import { rsaSubjectPublicKeyInfo } from '../../attestation/src/certificates/keys.ts';
import type { NameFields } from '../../attestation/src/certificates/name.ts';
import { bitString, oid, sequence } from '../../attestation/src/der/writer.ts';
import {
  nameOf,
  SIMULATED_ORGANIZATION,
} from '../../attestation/src/simulated/authorities/names.ts';
import { ALGORITHM, both, ENCODING, type VekCase } from './certificate-encoding.ts';
import { DAY, forgeVek, type VekForgery } from './forge.ts';
import { type EvidenceVector, NOW } from './format.ts';
import { CHAIN, evidenceOf } from './processor.ts';

const START = Date.parse(NOW);
const EC = oid('1.2.840.10045.2.1');
const P384 = oid('1.3.132.0.34');

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

const NAMES: readonly VekCase[] = [
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

const KEYS: readonly VekCase[] = [
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

const SIGNATURES: readonly VekCase[] = [
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
