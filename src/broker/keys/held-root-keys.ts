/**
 * A root key that this process has in memory, and a file that says which epochs there are.
 *
 * @module
 */
import { createHmac } from 'node:crypto';
import { A3sError } from '../../errors.ts';
import { contextOf, decrypt, encrypt } from './aead.ts';
import { readPrivateFile, replacePrivateFile } from './private-file.ts';
import type { RootKeys } from './root-keys.ts';

const MAX_BYTES = 16 * 1024;

/** The key of an epoch, and what the file has of it. */
export interface HeldKey {
  readonly key: Buffer;
  readonly entry: string;
}

export type Entries = ReadonlyMap<number, string>;

/** What the file has in place of the keys, and how keys come of it. */
export interface KeyFormat {
  readonly maxEpochs: number;
  /** Undefined for what is no such file. */
  parse(text: string): Entries | undefined;
  textOf(entries: Entries): string;
  /** A new key. */
  make(epoch: number): Promise<HeldKey>;
  /** The key of an entry, and the same one each time. */
  open(epoch: number, entry: string): Promise<Buffer>;
}

/** @throws A3sError `root-key` for a file that is missing, open to others or damaged */
export async function openHeldKeys(path: string, format: KeyFormat): Promise<RootKeys> {
  return new HeldRootKeys(path, format, await readKeys(path, format, new Map()));
}

type Keys = ReadonlyMap<number, HeldKey>;

class HeldRootKeys implements RootKeys {
  readonly #path: string;
  readonly #format: KeyFormat;
  #keys: Keys;

  constructor(path: string, format: KeyFormat, keys: Keys) {
    this.#path = path;
    this.#format = format;
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
    const found = await readKeys(this.#path, this.#format, this.#keys);
    for (const [epoch, { key }] of this.#keys) {
      if (found.get(epoch)?.key.equals(key) ?? true) continue;
      throw new A3sError('root-key', `The key file has another epoch ${epoch}: ${this.#path}`, {
        remedy: 'Use the key file that the broker used last, and start the broker again.',
      });
    }
    this.#keys = found;
  }

  async add(): Promise<number> {
    await this.refresh();
    const epoch = Math.max(...this.epochs) + 1;
    const { maxEpochs } = this.#format;
    if (this.#keys.size >= maxEpochs) {
      throw new A3sError('broker-conflict', `The root key has ${maxEpochs} epochs already`, {
        remedy: 'Wait until records are wrapped again, which removes the older ones.',
      });
    }
    const made = await this.#format.make(epoch);
    await this.#replace(new Map([...this.#keys, [epoch, made]]));
    return epoch;
  }

  async retireBelow(epoch: number): Promise<void> {
    await this.refresh();
    const kept = new Map([...this.#keys].filter(([each]) => each >= epoch));
    if (kept.size === 0) throw new RangeError('a root key keeps one epoch');
    if (kept.size < this.#keys.size) await this.#replace(kept);
  }

  async #replace(keys: Keys): Promise<void> {
    const entries = new Map([...keys].map(([epoch, { entry }]) => [epoch, entry]));
    await replacePrivateFile(this.#path, this.#format.textOf(entries));
    this.#keys = keys;
  }

  #key(epoch: number): Buffer {
    const held = this.#keys.get(epoch);
    if (held !== undefined) return held.key;
    throw new A3sError('root-key', `The root key has no epoch ${epoch}: ${this.#path}`, {
      remedy: 'Use the key file that the broker used last, not an older copy.',
    });
  }
}

async function readKeys(path: string, format: KeyFormat, known: Keys): Promise<Keys> {
  const entries = format.parse((await readPrivateFile(path, MAX_BYTES)).toString());
  const epochs = [...(entries?.keys() ?? [])];
  const ascending = epochs.every((epoch, at) => epoch > (epochs[at - 1] ?? 0));
  if (entries === undefined || epochs.length === 0 || !ascending) {
    throw new A3sError('root-key', `Cannot use the key file ${path}: it is damaged`, {
      remedy: 'Restore it from a backup: nothing can be read without it.',
    });
  }
  const keys = new Map<number, HeldKey>();
  for (const [epoch, entry] of entries) {
    const before = known.get(epoch);
    const key = before?.entry === entry ? before.key : await format.open(epoch, entry);
    keys.set(epoch, { key, entry });
  }
  return keys;
}
