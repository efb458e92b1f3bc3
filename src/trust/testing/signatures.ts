/**
 * Signatures with everything that comes with them, part by part, and the two forms in which they
 * are stored.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { preAuthEncoding } from '../artifact/dsse.ts';
import {
  BUNDLE,
  DSSE,
  type LayerParts,
  SIMPLE_SIGNING,
  signatureLayer,
  signWith,
} from './artifacts.ts';
import { pair, type SigstoreWorld } from './sigstore-world.ts';

const IN_TOTO = 'application/vnd.in-toto+json';

type Hash = 'sha256' | 'sha384' | 'sha512';
const HASHES_V2 = { sha256: 'SHA2_256', sha384: 'SHA2_384', sha512: 'SHA2_512' } as const;

export interface Parts {
  readonly payload: Buffer;
  /** Whether the payload is a statement, in an envelope. */
  readonly enveloped: boolean;
  readonly signature: Buffer;
  /** What was signed is this hash. [sha256] */
  readonly hash?: Hash;
  readonly certificate?: Buffer;
  readonly entries: readonly TransparencyLogEntry[];
  readonly timestamps: readonly Buffer[];
}

export interface SignOptions {
  /** Signs with this key and without a certificate. */
  readonly key?: KeyObject;
  readonly enveloped?: boolean;
  /** `v2` logs an envelope as `dsse`, and `v2-hash` as `hashedrekord`. */
  readonly log?: 'v1' | 'v2' | 'v2-hash' | 'none' | keyof typeof BODIES;
  readonly hash?: Hash;
  readonly stamped?: boolean;
  readonly certificate?: Parameters<SigstoreWorld['certify']>[1];
}

/** As cosign does: a new key for each signature, a certificate for it, and an entry in a log. */
export async function signIn(
  world: SigstoreWorld,
  payload: Buffer,
  options: SignOptions = {},
): Promise<Parts> {
  const { enveloped = false, log = 'v1', hash = 'sha256' } = options;
  const { stamped = log.startsWith('v2') } = options;
  const privateKey = options.key ?? pair().privateKey;
  const publicKey = createPublicKey(privateKey);
  const certificate =
    options.key === undefined ? await world.certify(publicKey, options.certificate) : undefined;
  const signature = signWith(privateKey, signedOf({ payload, enveloped }), hash);
  const parts = { payload, enveloped, signature, hash, ...(certificate && { certificate }) };
  const verifier = certificate ?? publicKey;
  return {
    ...parts,
    entries: log === 'none' ? [] : [await entryOf(world, log, parts, verifier)],
    timestamps: stamped ? [await world.stamp(signature)] : [],
  };
}

type Signed = Pick<Parts, 'payload' | 'enveloped' | 'signature' | 'hash'>;

function signedOf({ payload, enveloped }: Pick<Parts, 'payload' | 'enveloped'>): Buffer {
  return enveloped ? preAuthEncoding(IN_TOTO, payload) : payload;
}

async function entryOf(
  world: SigstoreWorld,
  log: Exclude<SignOptions['log'], undefined | 'none'>,
  parts: Signed,
  verifier: Buffer | KeyObject,
): Promise<TransparencyLogEntry> {
  if (log === 'v2' || log === 'v2-hash') {
    const kind = parts.enveloped && log === 'v2' ? 'dsse' : 'hashedrekord';
    return world.logV2(BODIES_V2[kind](parts, verifier), kind);
  }
  const kind = log === 'v1' ? (parts.enveloped ? 'dsse' : 'hashedrekord') : log;
  return await world.log(BODIES[kind](parts, pemOf(verifier)));
}

/** Rekor v1's types of entries. */
export const BODIES = {
  hashedrekord: ({ payload, signature, hash }: Signed, pem: string) => ({
    kind: 'hashedrekord',
    apiVersion: '0.0.1',
    spec: {
      data: { hash: hashOf(payload, hash) },
      signature: { content: base64(signature), publicKey: { content: base64(pem) } },
    },
  }),
  rekord: ({ payload, signature }: Signed, pem: string) => ({
    kind: 'rekord',
    apiVersion: '0.0.1',
    spec: {
      data: { hash: hashOf(payload) },
      signature: {
        format: 'x509',
        content: base64(signature),
        publicKey: { content: base64(pem) },
      },
    },
  }),
  dsse: (parts: Signed, pem: string) => ({
    kind: 'dsse',
    apiVersion: '0.0.1',
    spec: {
      envelopeHash: hashOf(envelopeOfParts(parts)),
      payloadHash: hashOf(parts.payload),
      signatures: [{ signature: base64(parts.signature), verifier: base64(pem) }],
    },
  }),
  intoto: (parts: Signed, pem: string) => ({
    kind: 'intoto',
    apiVersion: '0.0.1',
    spec: {
      content: {
        hash: hashOf(envelopeOfParts(parts)),
        payloadHash: hashOf(parts.payload),
      },
      publicKey: base64(pem),
    },
  }),
  intoto2: ({ payload, signature }: Signed, pem: string) => ({
    kind: 'intoto',
    apiVersion: '0.0.2',
    spec: {
      content: {
        envelope: {
          payloadType: IN_TOTO,
          signatures: [{ sig: base64(base64(signature)), publicKey: base64(pem) }],
        },
        hash: hashOf('whatever the log was sent'),
        payloadHash: hashOf(payload),
      },
    },
  }),
};

/** Rekor v2's. */
export const BODIES_V2 = {
  hashedrekord: (parts: Signed, verifier: Buffer | KeyObject) => ({
    apiVersion: '0.0.2',
    kind: 'hashedrekord',
    spec: {
      hashedRekordV002: {
        data: hashV2Of(signedOf(parts), parts.hash),
        signature: signatureV2(parts, verifier),
      },
    },
  }),
  dsse: (parts: Signed, verifier: Buffer | KeyObject) => ({
    apiVersion: '0.0.2',
    kind: 'dsse',
    spec: {
      dsseV002: {
        payloadHash: hashV2Of(parts.payload),
        signatures: [signatureV2(parts, verifier)],
      },
    },
  }),
};

function signatureV2({ signature }: Signed, verifier: Buffer | KeyObject): object {
  const keyDetails = 'PKIX_ECDSA_P256_SHA_256';
  const by = Buffer.isBuffer(verifier)
    ? { x509Certificate: { rawBytes: base64(verifier) } }
    : { publicKey: { rawBytes: base64(verifier.export({ type: 'spki', format: 'der' })) } };
  return { content: base64(signature), verifier: { ...by, keyDetails } };
}

/** A layer as cosign writes it. */
export function legacyLayer(parts: Parts): LayerParts {
  const [entry] = parts.entries;
  const [timestamp] = parts.timestamps;
  const annotations = {
    ...(parts.certificate === undefined
      ? {}
      : {
          'dev.sigstore.cosign/certificate': pemOf(parts.certificate),
          'dev.sigstore.cosign/chain': '',
        }),
    ...(entry === undefined
      ? {}
      : {
          'dev.sigstore.cosign/bundle': JSON.stringify({
            SignedEntryTimestamp: base64(entry.inclusionPromise?.signedEntryTimestamp ?? ''),
            Payload: {
              body: base64(entry.canonicalizedBody),
              integratedTime: Number(entry.integratedTime),
              logIndex: Number(entry.logIndex),
              logID: entry.logId.keyId.toString('hex'),
            },
          }),
        }),
    ...(timestamp === undefined
      ? {}
      : {
          'dev.sigstore.cosign/rfc3161timestamp': JSON.stringify({
            SignedRFC3161Timestamp: base64(timestamp),
          }),
        }),
  };
  if (!parts.enveloped) return signatureLayer(parts.payload, parts.signature, annotations);
  return {
    mediaType: DSSE,
    content: Buffer.from(envelopeOfParts(parts)),
    annotations: { 'dev.cosignproject.cosign/signature': '', ...annotations },
  };
}

export function envelopeOfParts({ payload, signature }: Signed): string {
  return JSON.stringify({
    payloadType: IN_TOTO,
    payload: base64(payload),
    signatures: [{ keyid: '', sig: base64(signature) }],
  });
}

export interface BundleJson {
  readonly mediaType: string;
  readonly verificationMaterial: object;
  readonly dsseEnvelope?: { readonly signatures: readonly object[] };
  readonly messageSignature?: { readonly messageDigest: object; readonly signature: string };
}

/** A bundle as JSON, of any version, to be changed at will. */
export function bundleJson(parts: Parts, mediaType = BUNDLE): BundleJson {
  const version = /0\.[123]/.exec(mediaType)?.[0] ?? '0.3';
  const certificate = parts.certificate && { rawBytes: base64(parts.certificate) };
  return {
    mediaType,
    verificationMaterial: {
      ...(certificate === undefined
        ? { publicKey: { hint: 'any hint' } }
        : version === '0.3'
          ? { certificate }
          : { x509CertificateChain: { certificates: [certificate] } }),
      tlogEntries: parts.entries.map((entry) => entryJson(entry, version)),
      timestampVerificationData: {
        rfc3161Timestamps: parts.timestamps.map((one) => ({ signedTimestamp: base64(one) })),
      },
    },
    ...(parts.enveloped
      ? { dsseEnvelope: JSON.parse(envelopeOfParts(parts)) }
      : {
          messageSignature: {
            messageDigest: {
              algorithm: 'SHA2_256',
              digest: base64(digestBy('sha256', parts.payload)),
            },
            signature: base64(parts.signature),
          },
        }),
  };
}

function entryJson(entry: TransparencyLogEntry, version: string) {
  const { inclusionPromise, inclusionProof } = entry;
  return {
    logIndex: entry.logIndex,
    logId: { keyId: base64(entry.logId.keyId) },
    kindVersion: entry.kindVersion,
    integratedTime: entry.integratedTime,
    ...(inclusionPromise && {
      inclusionPromise: { signedEntryTimestamp: base64(inclusionPromise.signedEntryTimestamp) },
    }),
    ...(inclusionProof &&
      version !== '0.1' && {
        inclusionProof: {
          logIndex: inclusionProof.logIndex,
          rootHash: base64(inclusionProof.rootHash),
          treeSize: inclusionProof.treeSize,
          hashes: inclusionProof.hashes.map(base64),
          checkpoint: inclusionProof.checkpoint,
        },
      }),
    canonicalizedBody: base64(entry.canonicalizedBody),
  };
}

/** With the payload beside it where it is not inside. */
export function bundleLayers(parts: Parts, bundle: object): LayerParts[] {
  const content = Buffer.from(JSON.stringify(bundle));
  const layer = { mediaType: BUNDLE, content };
  if (parts.enveloped) return [layer];
  return [{ mediaType: SIMPLE_SIGNING, content: parts.payload }, layer];
}

/** Any bytes as a certificate: tests break them. */
export function pemOf(verifier: Buffer | KeyObject): string {
  if (!Buffer.isBuffer(verifier))
    return verifier.export({ type: 'spki', format: 'pem' }).toString();
  const lines = base64(verifier).match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

export function base64(content: Buffer | string): string {
  return Buffer.from(content).toString('base64');
}

function hashOf(content: Buffer | string, algorithm: Hash = 'sha256') {
  return { algorithm, value: digestBy(algorithm, content).toString('hex') };
}

function hashV2Of(content: Buffer, algorithm: Hash = 'sha256') {
  return { algorithm: HASHES_V2[algorithm], digest: base64(digestBy(algorithm, content)) };
}

function digestBy(algorithm: Hash, content: Buffer | string): Buffer {
  return createHash(algorithm).update(content).digest();
}
