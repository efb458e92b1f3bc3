/**
 * The proof that an entry is in a log: hashes up to the root of its tree (RFC 9162 section 2.1.3),
 * and the root in a checkpoint that the log has signed (github.com/C2SP/C2SP, `tlog-checkpoint` and
 * `signed-note`).
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { TrustMaterial } from '@sigstore/verify';
import { isSignedBy } from '../keys/signer-key.ts';

type Log = TrustMaterial['tlogs'][number];

const HINT_BYTES = 4;

/** Whether one of the logs has signed a tree with the entry in it. */
export function isIncluded(entry: TransparencyLogEntry, logs: readonly Log[]): boolean {
  const { inclusionProof: proof, canonicalizedBody } = entry;
  if (proof === undefined) return false;
  const { logIndex, treeSize, hashes, rootHash } = proof;
  const root = rootOf(canonicalizedBody, BigInt(logIndex), BigInt(treeSize), hashes);
  // An earlier check of the shape compared the checkpoint's root with this one.
  return (
    root?.equals(rootHash) === true &&
    logs.some((log) => hasSigned(log, proof.checkpoint?.envelope ?? ''))
  );
}

/** Undefined for too few or too many hashes, or an entry beyond the tree. */
function rootOf(
  body: Buffer,
  index: bigint,
  size: bigint,
  hashes: readonly Buffer[],
): Buffer | undefined {
  if (index >= size) return undefined;
  let node = index;
  let last = size - 1n;
  let hash = sha256(Buffer.of(0), body);
  for (const sibling of hashes) {
    if (last === 0n) return undefined;
    if (isOdd(node) || node === last) {
      hash = sha256(Buffer.of(1), sibling, hash);
      // A last node without a sibling rises until it has one.
      while (!isOdd(node) && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = sha256(Buffer.of(1), hash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? hash : undefined;
}

/**
 * Signatures by witnesses stand beside the log's, in any order, and nothing is known of their keys.
 */
function hasSigned({ baseURL, logID, publicKey }: Log, checkpoint: string): boolean {
  const name = nameOf(baseURL);
  const end = checkpoint.indexOf('\n\n');
  const note = Buffer.from(checkpoint.slice(0, end + 1));
  return checkpoint
    .slice(end + 2)
    .split('\n')
    .some((line) => {
      const [, signer, text = ''] = line.split(' ');
      const bytes = Buffer.from(text, 'base64');
      return (
        name !== undefined &&
        signer === name &&
        bytes.subarray(0, HINT_BYTES).equals(logID.subarray(0, HINT_BYTES)) &&
        isSignedBy(publicKey, note, bytes.subarray(HINT_BYTES))
      );
    });
}

/**
 * The name under which a log signs: its URL without the scheme. Undefined for a text that is no
 * URL.
 */
function nameOf(baseUrl: string): string | undefined {
  if (!URL.canParse(baseUrl)) return undefined;
  const { host, pathname } = new URL(baseUrl);
  return host + pathname.replace(/\/$/, '');
}

function isOdd(value: bigint): boolean {
  return (value & 1n) === 1n;
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
