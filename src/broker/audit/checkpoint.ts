/**
 * Checkpoints of the audit log: how far it was, signed with a key of its own.
 *
 * A writer of the store has no key, so it can sign no checkpoint of a log of its own. A checkpoint
 * that is kept elsewhere also shows that a log was cut off or continued in another way.
 *
 * @module
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import * as z from 'zod';
import { narrow } from '../../narrow.ts';
import { contextOf } from '../keys/aead.ts';

const DOMAIN = 'a3s-box/broker-checkpoint/v1';

const document = z.strictObject({
  log: z.string().regex(/^[0-9a-f]{32}$/),
  seq: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  time: z.iso.datetime(),
  /** Ed25519, hexadecimal. */
  signature: z.string().regex(/^[0-9a-f]{128}$/),
});

export type Checkpoint = z.infer<typeof document>;
type Statement = Omit<Checkpoint, 'signature'>;

export function makeCheckpoint(statement: Statement, key: KeyObject): Checkpoint {
  return { ...statement, signature: sign(null, signed(statement), key).toString('hex') };
}

/** Undefined for what is no checkpoint; whether its signature holds is another question. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  try {
    return narrow(document, JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export function isSignedBy(checkpoint: Checkpoint, key: KeyObject): boolean {
  const publicKey = key.type === 'public' ? key : createPublicKey(key);
  if (publicKey.asymmetricKeyType !== 'ed25519') return false;
  return verify(null, signed(checkpoint), publicKey, Buffer.from(checkpoint.signature, 'hex'));
}

function signed({ log, seq, hash, time }: Statement): Buffer {
  return contextOf(DOMAIN, log, seq, hash, time);
}
