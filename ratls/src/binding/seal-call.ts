/**
 * The message that a sealer signs: one operation with all its arguments, by one box, in one
 * session.
 *
 * @module
 */
import { createHash, type KeyObject } from 'node:crypto';
import { signMessage } from './injection.ts';
import { lengthPrefixed } from './length-prefixed.ts';

const DOMAIN = 'a3s-box/seal-call/v1';

/** The exporter of a session in which something is sealed; its context is the operation. */
export const SEAL_EXPORTER = 'EXPORTER-a3s-box-seal-v1';

export type SealOperation = 'seal' | 'unseal';

/** All that a sealer's signature covers. */
export interface SealCall {
  /** 32 bytes, from the session. */
  readonly exporter: Uint8Array;
  /** SubjectPublicKeyInfo of the agent's key in this session. */
  readonly spki: Uint8Array;
  readonly instance: Uint8Array;
  readonly specDigest: Uint8Array;
  readonly operation: SealOperation;
  readonly arguments: readonly (string | Uint8Array)[];
}

/** The bytes that are signed. */
export function sealCallMessage(call: SealCall): Uint8Array {
  const { exporter, spki, instance, specDigest, operation } = call;
  const digest = createHash('sha256').update(lengthPrefixed(call.arguments)).digest();
  return lengthPrefixed([DOMAIN, exporter, spki, instance, specDigest, operation, digest]);
}

/** @throws {TypeError} for a key of a kind that no agent verifies */
export function signSealCall(call: SealCall, key: KeyObject): Uint8Array {
  return signMessage(sealCallMessage(call), key);
}
