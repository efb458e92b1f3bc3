/**
 * A certificate authority, logs and a timestamp authority of a test, with a trusted root that knows
 * them.
 *
 * @module
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { initializeCA, initializeCTLog, initializeTLog, initializeTSA } from '@sigstore/mock';
import { PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';
import { type TrustMaterial, toTrustMaterial } from '@sigstore/verify';
import * as z from 'zod';

const SHA256_OID = '2.16.840.1.101.3.4.2.1';
const TSA_POLICY_OID = '1.3.6.1.4.1.57264.2';
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';

export const ISSUER = 'https://issuer.example';
export const SUBJECT = 'https://ci.example/team/app';

export interface CertificateOptions {
  readonly issuer?: string;
  readonly subject?: string;
  /** Where only one of the two extensions is wanted. */
  readonly extensions?: readonly { oid: string; value: string; legacy?: boolean }[];
}

export interface SigstoreWorld {
  readonly material: () => Promise<TrustMaterial>;
  readonly root: TrustedRoot;
  /** A certificate in DER for a key, from now on, for ten minutes. */
  certify(publicKey: KeyObject, options?: CertificateOptions): Promise<Buffer>;
  /** Rekor v1: with a promise, and a proof of a log of one entry. */
  log(body: object): Promise<TransparencyLogEntry>;
  /** The same as Rekor answers it. */
  logAnswer(body: object): Promise<object>;
  /** Rekor v2: with a proof alone. */
  logV2(body: object, kind: string): TransparencyLogEntry;
  /** RFC 3161, with the certificate of the authority in it or without. */
  stamp(content: Buffer, withCertificate?: boolean): Promise<Buffer>;
  /** Of content with this SHA-256 hash. */
  stampHash(hash: Buffer): Promise<Buffer>;
}

export interface WorldOptions {
  /** What the authorities take for the time. */
  readonly clock?: Date;
  /** Of the timestamp authority, where it is another. */
  readonly stampClock?: Date;
  readonly withoutCertificateLog?: boolean;
}

const LogAnswer = z.tuple([
  z.object({
    body: z.string(),
    logID: z.string(),
    logIndex: z.int(),
    integratedTime: z.int(),
    verification: z.object({
      signedEntryTimestamp: z.string(),
      inclusionProof: z.object({
        logIndex: z.int(),
        treeSize: z.int(),
        rootHash: z.string(),
        checkpoint: z.string(),
      }),
    }),
  }),
]);

const LOG_HOST = 'rekor.example';

export async function sigstoreWorld(options: WorldOptions = {}): Promise<SigstoreWorld> {
  // Not before the authorities' own certificates, however long making those takes, and in whole
  // seconds, as real authorities write times: the verifier does not read all fractions of its mock.
  const clock = options.clock ?? new Date((Math.floor(Date.now() / 1000) + 60) * 1000);
  const [caKeys, ctKeys, logKeys, logV2Keys, tsaKeys] = [pair(), pair(), pair(), pair(), pair()];
  const ctLog = await initializeCTLog(ctKeys, clock);
  const ca = await initializeCA(
    caKeys,
    options.withoutCertificateLog === true ? undefined : ctLog,
    clock,
  );
  const tlog = await initializeTLog(`https://${LOG_HOST}`, logKeys, clock);
  const tsa = await initializeTSA(tsaKeys, options.stampClock ?? clock);
  const root = TrustedRoot.fromJSON({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logKeys, logV2Keys].map(({ publicKey }) => logOf(`https://${LOG_HOST}`, publicKey)),
    ctlogs: [logOf('https://ct.example', ctKeys.publicKey)],
    certificateAuthorities: [authorityOf(ca.rootCertificate)],
    timestampAuthorities: [authorityOf(tsa.intCertificate, tsa.rootCertificate)],
  });
  const stampHash = async (artifactHash: Buffer, certReq = true): Promise<Buffer> =>
    bufferOf(
      await tsa.timestamp({
        artifactHash,
        hashAlgorithmOID: SHA256_OID,
        policyOID: TSA_POLICY_OID,
        nonce: 7,
        certReq,
      }),
    );
  return {
    root,
    material: async () => toTrustMaterial(root),
    certify: async (publicKey, { issuer = ISSUER, subject = SUBJECT, extensions } = {}) =>
      bufferOf(
        await ca.issueCertificate({
          publicKey: publicKey.export({ type: 'spki', format: 'der' }) as Buffer<ArrayBuffer>,
          subjectAltName: subject,
          extensions: [
            ...(extensions ?? [
              { oid: ISSUER_V1, value: issuer, legacy: true },
              { oid: ISSUER_V2, value: issuer },
            ]),
          ],
        }),
      ),
    log: async (body) => {
      const [logged] = LogAnswer.parse(Object.values(await tlog.log(body)));
      const proof = logged.verification.inclusionProof;
      const canonicalizedBody = Buffer.from(logged.body, 'base64');
      const { kind, apiVersion } = JSON.parse(canonicalizedBody.toString());
      return {
        logIndex: String(logged.logIndex),
        logId: { keyId: Buffer.from(logged.logID, 'hex') },
        kindVersion: { kind, version: apiVersion },
        integratedTime: String(logged.integratedTime),
        inclusionPromise: {
          signedEntryTimestamp: Buffer.from(logged.verification.signedEntryTimestamp, 'base64'),
        },
        inclusionProof: {
          logIndex: String(proof.logIndex),
          treeSize: String(proof.treeSize),
          rootHash: Buffer.from(proof.rootHash, 'hex'),
          hashes: [],
          checkpoint: { envelope: proof.checkpoint },
        },
        canonicalizedBody,
      };
    },
    logAnswer: async (body) => await tlog.log(body),
    logV2: (body, kind) => entryV2(Buffer.from(JSON.stringify(body)), kind, logV2Keys),
    stamp: async (content, withCertificate) =>
      await stampHash(createHash('sha256').update(content).digest(), withCertificate),
    stampHash: async (hash) => await stampHash(hash),
  };
}

/** The trusted root as a file for a policy. */
export function rootText({ root }: Pick<SigstoreWorld, 'root'>): string {
  return JSON.stringify(TrustedRoot.toJSON(root));
}

/** The mock's own is of entries in another shape. */
function entryV2(body: Buffer, kind: string, keys: ReturnType<typeof pair>): TransparencyLogEntry {
  const keyId = logIdOf(keys.publicKey);
  const leaf = createHash('sha256')
    .update(Buffer.from([0]))
    .update(body)
    .digest();
  const note = `${LOG_HOST}\n1\n${leaf.toString('base64')}\n`;
  const signature = Buffer.concat([
    keyId.subarray(0, 4),
    sign('sha256', Buffer.from(note), keys.privateKey),
  ]);
  const envelope = `${note}\n\u2014 ${LOG_HOST} ${signature.toString('base64')}\n`;
  return {
    logIndex: '0',
    logId: { keyId },
    kindVersion: { kind, version: '0.0.2' },
    integratedTime: '0',
    inclusionPromise: undefined,
    inclusionProof: {
      logIndex: '0',
      treeSize: '1',
      rootHash: leaf,
      hashes: [],
      checkpoint: { envelope },
    },
    canonicalizedBody: body,
  };
}

function logOf(baseUrl: string, publicKey: KeyObject): object {
  return {
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: derOf(publicKey).toString('base64'),
      keyDetails: PublicKeyDetails[PublicKeyDetails.PKIX_ECDSA_P256_SHA_256],
      validFor: { start: '2020-01-01T00:00:00Z' },
    },
    logId: { keyId: logIdOf(publicKey).toString('base64') },
  };
}

function authorityOf(...certificates: readonly ArrayBufferView<ArrayBuffer>[]): object {
  return {
    subject: { commonName: 'test', organization: 'test' },
    certChain: {
      certificates: certificates.map((one) => ({ rawBytes: bufferOf(one).toString('base64') })),
    },
    validFor: { start: '2020-01-01T00:00:00Z' },
  };
}

function logIdOf(publicKey: KeyObject): Buffer {
  return createHash('sha256').update(derOf(publicKey)).digest();
}

function derOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

function bufferOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

export function pair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}
