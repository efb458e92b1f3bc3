/**
 * The key that signs checkpoints of the audit log: Ed25519, in a file of its own.
 *
 * @module
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { A3sError } from '../../errors.ts';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

const MAX_BYTES = 4096;

/** @throws A3sError `broker-conflict` where the file exists */
export async function createSigningKeyFile(path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  await createPrivateFile(path, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
}

/** @throws A3sError `root-key` for a file that is missing, open to others or no such key */
export async function openSigningKeyFile(path: string): Promise<KeyObject> {
  const text = await readPrivateFile(path, MAX_BYTES);
  const key = keyOf(() => createPrivateKey({ key: text, format: 'pem' }));
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new A3sError('root-key', `Cannot use the key file ${path}: it has no Ed25519 private key`);
}

/** Undefined for what is no public key of that kind. */
export function signingPublicKey(pem: string | Uint8Array): KeyObject | undefined {
  const key = keyOf(() => createPublicKey({ key: Buffer.from(pem), format: 'pem' }));
  return key?.asymmetricKeyType === 'ed25519' ? key : undefined;
}

export function publicPem(key: KeyObject): string {
  return String(createPublicKey(key).export({ type: 'spki', format: 'pem' }));
}

/** Node throws errors of many kinds for what is no key. */
function keyOf(read: () => KeyObject): KeyObject | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
