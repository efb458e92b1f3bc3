/**
 * A root key in a file.
 *
 * Anyone who reads the file and the store has every secret: keep the two apart in backups.
 *
 * @module
 */
import { createHmac, randomBytes } from 'node:crypto';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { contextOf, decrypt, encrypt, KEY_BYTES } from './aead.ts';
import { createPrivateFile, readPrivateFile, replacePrivateFile } from './private-file.ts';
import type { RootKeys } from './root-keys.ts';

const FORMAT = 'a3s-box/broker-root-key/v1';
const MAX_EPOCHS = 64;
const MAX_BYTES = 16 * 1024;

const document = z.strictObject({
  format: z.literal(FORMAT),
  epochs: z
    .array(
      z.strictObject({
        epoch: z.int().min(1),
        key: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .min(1)
    .max(MAX_EPOCHS),
});

type Keys = ReadonlyMap<number, Buffer>;

/** Makes a root key in a new file. @throws A3sError `broker-conflict` where the file exists */
export async function createRootKeyFile(path: string): Promise<void> {
  await createPrivateFile(path, textOf(new Map([[1, randomBytes(KEY_BYTES)]])));
}

/** @throws A3sError `root-key` for a file that is missing, open to others or damaged */
export async function openRootKeyFile(path: string): Promise<RootKeys> {
  return new FileRootKeys(path, await readKeys(path));
}

class FileRootKeys implements RootKeys {
  readonly #path: string;
  #keys: Keys;

  constructor(path: string, keys: Keys) {
    this.#path = path;
    this.#keys = keys;
  }

  get epochs(): readonly number[] {
    return [...this.#keys.keys()];
  }

  async wrap(epoch: number, dataKey: Uint8Array, context: Uint8Array): Promise<Buffer> {
    return encrypt(this.#key(epoch), dataKey, context);
  }

  async unwrap(
    epoch: number,
    wrapped: Uint8Array,
    context: Uint8Array,
  ): Promise<Buffer | undefined> {
    return decrypt(this.#key(epoch), wrapped, context);
  }

  async fingerprint(epoch: number): Promise<string> {
    const context = contextOf('a3s-box/broker-root-key-fingerprint/v1', epoch);
    return createHmac('sha256', this.#key(epoch)).update(context).digest('hex');
  }

  async refresh(): Promise<void> {
    const found = await readKeys(this.#path);
    for (const [epoch, key] of this.#keys) {
      if (found.get(epoch)?.equals(key) ?? true) continue;
      throw new A3sError('root-key', `The key file has another epoch ${epoch}: ${this.#path}`, {
        remedy: 'Use the key file that the broker used last, and start the broker again.',
      });
    }
    this.#keys = found;
  }

  async add(): Promise<number> {
    await this.refresh();
    const epoch = Math.max(...this.epochs) + 1;
    if (this.#keys.size >= MAX_EPOCHS) {
      throw new A3sError('broker-conflict', `The root key has ${MAX_EPOCHS} epochs already`, {
        remedy: 'Wait until records are wrapped again, which removes the older ones.',
      });
    }
    await this.#replace(new Map([...this.#keys, [epoch, randomBytes(KEY_BYTES)]]));
    return epoch;
  }

  async retireBelow(epoch: number): Promise<void> {
    await this.refresh();
    const kept = new Map([...this.#keys].filter(([each]) => each >= epoch));
    if (kept.size === 0) throw new RangeError('a root key keeps one epoch');
    if (kept.size < this.#keys.size) await this.#replace(kept);
  }

  async #replace(keys: Keys): Promise<void> {
    await replacePrivateFile(this.#path, textOf(keys));
    this.#keys = keys;
  }

  #key(epoch: number): Buffer {
    const key = this.#keys.get(epoch);
    if (key !== undefined) return key;
    throw new A3sError('root-key', `The root key has no epoch ${epoch}: ${this.#path}`, {
      remedy: 'Use the key file that the broker used last, not an older copy.',
    });
  }
}

async function readKeys(path: string): Promise<Keys> {
  const text = (await readPrivateFile(path, MAX_BYTES)).toString();
  const result = narrow(document, parse(text));
  const epochs = result.data?.epochs ?? [];
  const ascending = epochs.every(({ epoch }, at) => epoch > (epochs[at - 1]?.epoch ?? 0));
  if (epochs.length === 0 || !ascending) {
    throw new A3sError('root-key', `Cannot use the key file ${path}: it is damaged`, {
      remedy: 'Restore it from a backup: nothing can be read without it.',
    });
  }
  return new Map(epochs.map(({ epoch, key }) => [epoch, Buffer.from(key, 'hex')]));
}

/** Undefined for what is no JSON: the schema refuses it. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textOf(keys: Keys): string {
  const epochs = [...keys].map(([epoch, key]) => ({ epoch, key: key.toString('hex') }));
  return `${JSON.stringify({ format: FORMAT, epochs }, undefined, 2)}\n`;
}
