/**
 * Good evidence beside authorities that a verifier must accept or refuse. It never trusts them.
 *
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { encodeExtensions } from '../../attestation/src/certificates/extensions.ts';
import { DerReader } from '../../attestation/src/der/reader.ts';
import { bitString, explicit, sequence } from '../../attestation/src/der/writer.ts';
import { nameOf } from '../../attestation/src/simulated/authorities/names.ts';
import { type CaForgery, DAY, forgeCa, forgeVek, replace } from './forge.ts';
import { type EvidenceVector, NOW } from './format.ts';
import { CHAIN, evidenceOf, processor } from './processor.ts';

type Verdict = EvidenceVector['expected']['verify'];
type Case = readonly [name: string, verify: Verdict, comment: string, authorities: Uint8Array[]];

const { ark, ask, asvk } = CHAIN;
const EXTENSIONS = 7;

/** The ASK with one of its extensions (SKI, AKI, basic constraints, key usage, CRL) changed. */
function extended(
  index: number,
  change: (extension: Uint8Array) => readonly Uint8Array[],
): Uint8Array {
  return forgeCa({
    tbs: (tbs) =>
      replace(tbs, EXTENSIONS, (outer) => {
        const list = new DerReader(outer).enter(0xa3).enter();
        const extensions: Uint8Array[] = [];
        while (list.nextTag !== undefined) extensions.push(list.take(list.nextTag).encoded);
        const changed = extensions.flatMap((each, at) => (at === index ? change(each) : [each]));
        return explicit(3, sequence(...changed));
      }),
  });
}

function critical(id: string, ...value: number[]): Uint8Array[] {
  const list = encodeExtensions([{ id, critical: true, value: Uint8Array.from(value) }]);
  const reader = new DerReader(list).enter();
  return [reader.take(0x30).encoded];
}

/** An authority of nobody. */
function foreignKey(): CaForgery['fields'] {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 4096 });
  const modulus = Buffer.from(String(publicKey.export({ format: 'jwk' }).n), 'base64url');
  return { publicKey: { modulus } };
}

const withoutKey = (): Uint8Array =>
  forgeCa({ tbs: (tbs) => replace(tbs, 6, () => sequence(sequence(), bitString(Buffer.of(0)))) });

const cases = (): readonly Case[] => [
  ['ask-and-ark', 'accepted', 'The chain of a VCEK.', [ask.certificate, ark.certificate]],
  ['ark-first', 'accepted', 'They have no order.', [ark.certificate, ask.certificate]],
  ['ask-alone', 'accepted', 'The intermediate alone.', [ask.certificate]],
  [
    'asvk-too',
    'accepted',
    'All of the product.',
    [ask.certificate, asvk.certificate, ark.certificate],
  ],
  ['empty-list', 'accepted', 'None.', []],
  ['ask-twice', 'accepted', 'One of them twice.', [ask.certificate, ask.certificate]],
  [
    'seven',
    'ca-encoding',
    'More than any product has.',
    new Array<Uint8Array>(7).fill(ask.certificate),
  ],
  ['empty', 'ca-encoding', 'An authority of no byte.', [new Uint8Array()]],
  [
    'trailing-byte',
    'ca-encoding',
    'A byte behind it.',
    [Buffer.concat([ask.certificate, Buffer.of(0)])],
  ],
  [
    'second-truncated',
    'ca-encoding',
    'The second is cut.',
    [ask.certificate, ark.certificate.subarray(0, -1)],
  ],
  ['vek-as-authority', 'ca-encoding', 'An endorsement key is no authority.', [forgeVek()]],
  ['crl-as-authority', 'ca-encoding', 'A revocation list is no authority.', [processor().crl()]],
  [
    'serial-zero',
    'ca-encoding',
    'A serial number of zero.',
    [forgeCa({ fields: { serial: '00' } })],
  ],
  [
    'algorithm-differs',
    'ca-encoding',
    'Two encodings of the algorithm.',
    [forgeCa({ fields: { trailerField: false } })],
  ],
  ['key-missing', 'ca-encoding', 'No RSA key.', [withoutKey()]],
  [
    'subject-key-id-dropped',
    'ca-encoding',
    'Without subject key identifier.',
    [extended(0, () => [])],
  ],
  [
    'authority-key-id-doubled',
    'ca-encoding',
    'Twice with authority key identifier.',
    [extended(1, (each) => [each, each])],
  ],
  [
    'basic-constraints-dropped',
    'ca-encoding',
    'Without basic constraints.',
    [extended(2, () => [])],
  ],
  ['key-usage-dropped', 'ca-encoding', 'Without key usage.', [extended(3, () => [])]],
  [
    'crl-distribution-doubled',
    'ca-encoding',
    'Twice with a place for revocation lists.',
    [extended(4, (each) => [each, each])],
  ],
  [
    'no-authority',
    'ca-encoding',
    'Basic constraints of no authority.',
    [extended(2, () => critical('2.5.29.19', 0x30, 0))],
  ],
  [
    'path-length-1',
    'ca-encoding',
    'Another authority may be below.',
    [extended(2, () => critical('2.5.29.19', 0x30, 6, 1, 1, 0xff, 2, 1, 1))],
  ],
  [
    'may-sign-crls',
    'ca-encoding',
    'An intermediate that may sign revocation lists.',
    [extended(3, () => critical('2.5.29.15', 3, 2, 1, 6))],
  ],
  [
    'foreign-key',
    'ca-pinned',
    'The names of the chain, and the key of nobody.',
    [forgeCa({ fields: foreignKey() ?? {} })],
  ],
  [
    'foreign-name',
    'ca-pinned',
    'The key of the ASK under another name.',
    [forgeCa({ fields: { subject: { ...nameOf('ask'), commonName: 'SIMULATED-ASK-2' } } })],
  ],
  [
    'ask-named-asvk',
    'ca-pinned',
    'The key of the ASK under the name of the ASVK.',
    [forgeCa({ fields: { subject: nameOf('asvk') } })],
  ],
  ['signed-by-itself', 'ca-signature', 'The ASK signed by itself.', [forgeCa({ signer: 'ask' })]],
  [
    'signature-flipped',
    'ca-signature',
    'A bit of the signature flipped.',
    [forgeCa({ signature: (bytes) => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) })],
  ],
  [
    'ark-signed-by-ask',
    'ca-signature',
    'The root signed by its intermediate.',
    [forgeCa({ authority: 'ark', signer: 'ask' })],
  ],
];

export function authorityVectors(): EvidenceVector[] {
  const { report, vek } = evidenceOf();
  const vectors = cases().map(
    ([name, verify, comment, authorities]): EvidenceVector => ({
      name,
      comment,
      evidence: { report, vek, authorities },
      expected: { verify },
    }),
  );
  return [...vectors, expired()];
}

/** Of an authority's validity nothing but what is pinned counts. */
function expired(): EvidenceVector {
  const now = Date.parse('2055-01-01T00:00:00Z');
  const vek = forgeVek({ fields: { notBefore: Date.parse(NOW), notAfter: now + DAY } });
  return {
    name: 'expired',
    comment: 'The chain has ended in 2050; the endorsement key is valid until 2055.',
    evidence: { report: evidenceOf().report, vek },
    now: '2055-01-01T00:00:00Z',
    expected: { verify: 'ca-validity' },
  };
}
