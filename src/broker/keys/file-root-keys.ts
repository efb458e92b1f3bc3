/**
 * A root key in a file.
 *
 * Anyone who reads the file and the store has every secret: keep the two apart in backups.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { KEY_BYTES } from './aead.ts';
import { epochFile } from './epoch-file.ts';
import { type HeldKey, type KeyFormat, openHeldKeys } from './held-root-keys.ts';
import { createPrivateFile } from './private-file.ts';
import type { RootKeys } from './root-keys.ts';

const FORMAT: KeyFormat = {
  maxEpochs: 64,
  ...epochFile('a3s-box/broker-root-key/v1', 'key', z.string().regex(/^[0-9a-f]{64}$/), 64),
  make: async () => made(),
  open: async (_, entry) => Buffer.from(entry, 'hex'),
};

/** Makes a root key in a new file. @throws A3sError `broker-conflict` where the file exists */
export async function createRootKeyFile(path: string): Promise<void> {
  await createPrivateFile(path, FORMAT.textOf(new Map([[1, made().entry]])));
}

/** @throws A3sError `root-key` for a file that is missing, open to others or damaged */
export function openRootKeyFile(path: string): Promise<RootKeys> {
  return openHeldKeys(path, FORMAT);
}

function made(): HeldKey {
  const key = randomBytes(KEY_BYTES);
  return { key, entry: key.toString('hex') };
}
