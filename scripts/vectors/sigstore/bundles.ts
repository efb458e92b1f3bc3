/**
 * Bundles: their JSON, their certificates, and their subjects.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { simpleSigning } from '../../../src/trust/testing/artifacts.ts';
import { base64 } from '../../../src/trust/testing/signatures.ts';
import { ISSUER, pair, SUBJECT } from '../../../src/trust/testing/sigstore-world.ts';
import { authorityWithExtensions, spkiOf } from './certificate-log.ts';
import type { Authorities } from './make-authorities.ts';
import { CLOCK } from './make-authorities.ts';
import { type Case, changed, entryV1, IMAGE, loggedV1, signed } from './signing.ts';

const MATERIAL = 'verificationMaterial';
const ENTRY = `${MATERIAL}.tlogEntries.0`;

export const BUNDLES: readonly Case[] = [
  ['bundle-0.1', 'signed', 'A bundle of version 0.1.', version('0.1')],
  ['bundle-0.2', 'signed', 'A bundle of version 0.2.', version('0.2')],
  ['bundle-0.3', 'signed', 'A bundle of version 0.3.', version('0.3')],
  ['bundle-0.3-legacy', 'signed', 'Version 0.3 by its first media type.', version('0.3-legacy')],
  ['bundle-dsse', 'signed', 'An in-toto statement in an envelope.', dsse],
  [
    'bundle-version-unknown',
    'malformed',
    'The bundle says version 99.9, the layer 0.1.',
    json('mediaType', 'application/vnd.dev.sigstore.bundle+json;version=99.9'),
  ],
  [
    'bundle-cut',
    'malformed',
    'The JSON ends in the middle.',
    async (all) => ({ parts: await loggedV1(all, false), text: (text) => text.slice(0, 2000) }),
  ],
  [
    'bundle-byte-order-mark',
    'malformed',
    'A byte order mark stands before the JSON.',
    async (all) => ({ parts: await loggedV1(all, false), text: (text) => `\ufeff${text}` }),
  ],
  [
    'signature-not-base64',
    'malformed',
    'The signature has characters that base64 has not.',
    json('messageSignature.signature', '!!!not base64!!!'),
  ],
  [
    'log-index-negative',
    'malformed',
    "The entry's index is below zero.",
    json(`${ENTRY}.logIndex`, '-1'),
  ],
  [
    'chain-empty',
    'malformed',
    'The chain has no certificate.',
    json(`${MATERIAL}.x509CertificateChain.certificates`, []),
  ],
  [
    'chain-with-root',
    'certificate-malformed',
    'The chain has the root certificate of its authority in it.',
    async (all) => ({
      parts: await loggedV1(all, false),
      version: '0.1',
      json: (document) => {
        const [authority] = all.main.root.certificateAuthorities;
        const [root] = authority?.certChain?.certificates ?? [];
        const rawBytes = base64(Buffer.from(root?.rawBytes ?? []));
        return changed(document, `${MATERIAL}.x509CertificateChain.certificates.1`, { rawBytes });
      },
    }),
  ],
  [
    'chain-with-intermediate',
    'signed',
    'The chain has a certificate that is neither used nor a root.',
    async (all) => ({
      parts: await loggedV1(all, false),
      version: '0.1',
      json: (document) => {
        const [authority] = all.main.root.timestampAuthorities;
        const [first] = authority?.certChain?.certificates ?? [];
        const rawBytes = base64(Buffer.from(first?.rawBytes ?? []));
        return changed(document, `${MATERIAL}.x509CertificateChain.certificates.1`, { rawBytes });
      },
    }),
  ],
  [
    'promise-null',
    'malformed',
    'Version 0.1 needs a promise, and null is none.',
    json(`${ENTRY}.inclusionPromise`, null),
  ],
  [
    'proof-null',
    'signed',
    'Version 0.1 needs no proof, and null is none.',
    json(`${ENTRY}.inclusionProof`, null),
  ],
  [
    'authority-other',
    'certificate-untrusted',
    'The certificate is by the authority of another instance.',
    async (all) => {
      const parts = await signed({ main: all.other }, false);
      return { parts: { ...parts, entries: [entryV1(all.v1, parts)] } };
    },
  ],
  [
    'sct-with-extensions',
    'signed',
    'The SCT has an extension, as of a static CT log.',
    sctWithExtensions,
  ],
  [
    'certificate-log-other-key',
    'sct-invalid',
    "The trusted root has another key under the certificate log's id.",
    async (all) => ({
      parts: await loggedV1(all, false),
      root: (root) =>
        changed(root, 'ctlogs.0.publicKey.rawBytes', base64(spkiOf(pair().publicKey))),
    }),
  ],
  [
    'payload-other',
    'malformed',
    'Another payload lies beside the bundle.',
    async (all) => ({
      parts: await loggedV1(all, false),
      beside: simpleSigning(IMAGE, { optional: { another: 'payload' } }),
    }),
  ],
  [
    'payload-digest-other',
    'malformed',
    'The bundle says another digest than that of the payload beside it.',
    json('messageSignature.messageDigest.digest', base64(Buffer.alloc(32, 1))),
  ],
  [
    'payload-byte-order-mark',
    'malformed',
    'A byte order mark stands before the payload, and was signed.',
    async (all) => {
      const payload = Buffer.concat([Buffer.from('\ufeff'), simpleSigning(IMAGE)]);
      const parts = await signed(all, false, { payload });
      return { parts: { ...parts, entries: [entryV1(all.v1, parts)] } };
    },
  ],
  [
    'payload-number-not-finite',
    'number-not-finite',
    'The payload has a number that is no finite double, and was signed.',
    async (all) => {
      const text = simpleSigning(IMAGE, { optional: { x: 'NUMBER' } }).toString();
      const payload = Buffer.from(text.replace('"NUMBER"', '1e999'));
      const parts = await signed(all, false, { payload });
      return { parts: { ...parts, entries: [entryV1(all.v1, parts)] } };
    },
  ],
];

function version(of: '0.1' | '0.2' | '0.3' | '0.3-legacy'): Case[3] {
  return async (all) => ({ parts: await loggedV1(all, false), version: of });
}

async function dsse(all: Authorities) {
  return { parts: await loggedV1(all, true) };
}

function json(path: string, value: unknown): Case[3] {
  return async (all) => ({
    parts: await loggedV1(all, false),
    version: '0.1',
    json: (document) => changed(document, path, value),
  });
}

async function sctWithExtensions(all: Authorities) {
  const { authority, logKey } = await authorityWithExtensions(CLOCK);
  const { publicKey, privateKey } = pair();
  const certificate = await authority.issueCertificate({
    publicKey: new Uint8Array(spkiOf(publicKey)),
    subjectAltName: SUBJECT,
    extensions: [{ oid: '1.3.6.1.4.1.57264.1.8', value: ISSUER }],
  });
  const unlogged = await signed(all, false, { key: privateKey });
  const parts = { ...unlogged, certificate: bufferOf(certificate) };
  const keyId = createHash('sha256').update(spkiOf(logKey)).digest();
  return {
    parts: { ...parts, entries: [entryV1(all.v1, parts)] },
    root: (root: object) => {
      const withLog = changed(root, 'ctlogs.0.publicKey.rawBytes', base64(spkiOf(logKey)));
      const named = changed(withLog, 'ctlogs.0.logId.keyId', base64(keyId));
      const rawBytes = base64(bufferOf(authority.rootCertificate));
      return changed(named, 'certificateAuthorities.0.certChain.certificates.0', { rawBytes });
    },
  };
}

function bufferOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
