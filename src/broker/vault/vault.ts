/**
 * Records in the store, encrypted: each under a data key of its own, which the root key wraps.
 *
 * Policies and grants are encrypted too. Write access to the store is not enough to make a grant.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { A3sError } from '../../errors.ts';
import { contextOf, decrypt, encrypt, KEY_BYTES } from '../keys/aead.ts';
import type { RootKeys } from '../keys/root-keys.ts';
import type {
  BrokerStore,
  RecordKey,
  RecordKind,
  StoredRecord,
  StoreTransaction,
} from '../store/store.ts';

const STORE_ID = 'store-id';
const EPOCH = 'root-key-epoch';
const ID_DIGITS = 32;
const fingerprintName = (epoch: number) => `root-key-fingerprint:${epoch}`;

/** Whether a broker has begun to keep records in the store. */
export async function isUsed(transaction: StoreTransaction): Promise<boolean> {
  return (await transaction.value(STORE_ID)) !== undefined;
}

/** What is known of a record without its content. */
export interface RecordFacts {
  readonly name: string;
  readonly version: number;
  readonly changedAt: number;
  readonly declared: boolean;
}

export interface OpenedRecord extends RecordFacts {
  readonly content: Buffer;
  /**
   * Identifies this one writing of the record, and discloses nothing of its content. Versions begin
   * anew where a record was removed.
   */
  readonly id: string;
}

export class Vault {
  readonly #storeId: string;
  readonly #keys: RootKeys;
  /** The epochs whose keys were compared with the store. */
  readonly #verified = new Set<number>();

  private constructor(storeId: string, keys: RootKeys) {
    this.#storeId = storeId;
    this.#keys = keys;
  }

  /**
   * @param entered called in the transaction that completes a rotation, with its epoch
   * @throws A3sError `root-key` unless the root key is the one that this store was written with,
   * and has every epoch that a record needs
   */
  static async open(
    store: BrokerStore,
    keys: RootKeys,
    entered: (transaction: StoreTransaction, epoch: number) => Promise<void> = async () => {},
  ): Promise<Vault> {
    return store.transaction(async (transaction) => {
      const storeId = await transaction.value(STORE_ID);
      if (storeId === undefined) return Vault.#create(transaction, keys, newestOf(keys));
      const epoch = Number(await transaction.value(EPOCH));
      // Another broker may have changed it after this one read it.
      if (!keys.epochs.includes(epoch)) await keys.refresh();
      const newest = newestOf(keys);
      if (!keys.epochs.includes(epoch)) throw wrongEpoch(keys, epoch);
      for (const used of await transaction.epochsInUse()) {
        if (!keys.epochs.includes(used)) throw wrongEpoch(keys, used);
      }
      const vault = new Vault(storeId, keys);
      for (const each of keys.epochs) await vault.#verify(transaction, each);
      // A rotation that ended between the key file and the store is completed. A transaction that
      // fails opens no vault.
      if (newest > epoch) {
        await vault.enter(transaction, newest);
        await entered(transaction, newest);
      }
      return vault;
    });
  }

  static async #create(
    transaction: StoreTransaction,
    keys: RootKeys,
    epoch: number,
  ): Promise<Vault> {
    const storeId = randomBytes(16).toString('hex');
    await transaction.setValue(STORE_ID, storeId);
    const vault = new Vault(storeId, keys);
    await vault.enter(transaction, epoch);
    return vault;
  }

  /**
   * Makes an epoch of the root key the current one. Where the transaction fails, nothing is written
   * under the new epoch: the store does not know it.
   */
  async enter(transaction: StoreTransaction, epoch: number): Promise<void> {
    await transaction.setValue(EPOCH, String(epoch));
    await transaction.setValue(fingerprintName(epoch), await this.#keys.fingerprint(epoch));
  }

  /** The epoch that the store has as the current one: it wraps what is written from now on. */
  async storedEpoch(transaction: StoreTransaction): Promise<number> {
    return Number(await transaction.value(EPOCH));
  }

  /**
   * The same, with a root key that has it. Another broker of this store may have rotated the root
   * key, and removed the epoch that was current when this one started.
   *
   * @throws A3sError `root-key`
   */
  async currentEpoch(transaction: StoreTransaction): Promise<number> {
    const epoch = await this.storedEpoch(transaction);
    await this.#require(transaction, epoch);
    return epoch;
  }

  async #require(transaction: StoreTransaction, epoch: number): Promise<void> {
    if (this.#verified.has(epoch)) return;
    if (!this.#keys.epochs.includes(epoch)) await this.#keys.refresh();
    if (!this.#keys.epochs.includes(epoch)) throw wrongEpoch(this.#keys, epoch);
    await this.#verify(transaction, epoch);
  }

  /** @throws A3sError `root-key` for a key that is not the one that the store was written with */
  async #verify(transaction: StoreTransaction, epoch: number): Promise<void> {
    const known = await transaction.value(fingerprintName(epoch));
    if (known === undefined) return;
    if (known !== (await this.#keys.fingerprint(epoch))) {
      const message = `Epoch ${epoch} of the root key is not that of this store`;
      const remedy = 'Use the root key that the store was made with.';
      throw new A3sError('root-key', message, { remedy });
    }
    this.#verified.add(epoch);
  }

  /** Writes a record as its next version, which it returns. */
  async put(
    transaction: StoreTransaction,
    key: RecordKey,
    content: Uint8Array,
    facts: { readonly changedAt: number; readonly declared?: boolean },
  ): Promise<number> {
    const before = await transaction.record(key);
    const version = (before?.version ?? 0) + 1;
    const dataKey = randomBytes(KEY_BYTES);
    const epoch = await this.currentEpoch(transaction);
    const wrappedKey = await this.#keys.wrap(epoch, dataKey, this.#context(key, version, epoch));
    const sealed = encrypt(dataKey, content, this.#context(key, version));
    dataKey.fill(0);
    const { changedAt, declared = false } = facts;
    await transaction.putRecord({
      ...key,
      version,
      epoch,
      wrappedKey,
      sealed,
      changedAt,
      declared,
    });
    return version;
  }

  /** @throws A3sError `record-broken` for a record that was changed or moved in the store */
  async get(transaction: StoreTransaction, key: RecordKey): Promise<OpenedRecord | undefined> {
    const record = await transaction.record(key);
    return record === undefined ? undefined : this.#open(transaction, record);
  }

  /** @throws A3sError `record-broken` */
  async all(
    transaction: StoreTransaction,
    tenant: string,
    kind: RecordKind,
  ): Promise<readonly OpenedRecord[]> {
    const opened: OpenedRecord[] = [];
    for (const record of await transaction.records(tenant, kind)) {
      opened.push(await this.#open(transaction, record));
    }
    return opened;
  }

  /** Without their contents. */
  async list(
    transaction: StoreTransaction,
    tenant: string,
    kind: RecordKind,
  ): Promise<readonly RecordFacts[]> {
    return transaction.facts(tenant, kind);
  }

  /** Wraps the data keys of some records of older epochs again; returns how many. */
  async rewrap(transaction: StoreTransaction, limit: number): Promise<number> {
    const epoch = await this.currentEpoch(transaction);
    const records = await transaction.recordsBelow(epoch, limit);
    for (const record of records) {
      const dataKey = await this.#dataKey(transaction, record);
      const context = this.#context(record, record.version, epoch);
      const wrappedKey = await this.#keys.wrap(epoch, dataKey, context);
      dataKey.fill(0);
      await transaction.putRecord({ ...record, epoch, wrappedKey });
    }
    return records.length;
  }

  async #open(transaction: StoreTransaction, record: StoredRecord): Promise<OpenedRecord> {
    const dataKey = await this.#dataKey(transaction, record);
    const content = decrypt(dataKey, record.sealed, this.#context(record, record.version));
    dataKey.fill(0);
    if (content === undefined) throw broken(record);
    const { name, version, changedAt, declared } = record;
    return { name, version, changedAt, declared, content, id: idOf(record) };
  }

  async #dataKey(transaction: StoreTransaction, record: StoredRecord): Promise<Buffer> {
    await this.#require(transaction, record.epoch);
    const context = this.#context(record, record.version, record.epoch);
    const dataKey = await this.#keys.unwrap(record.epoch, record.wrappedKey, context);
    if (dataKey === undefined) throw broken(record);
    return dataKey;
  }

  /** A record is bound to its store, its place there and its version. */
  #context({ tenant, kind, name }: RecordKey, version: number, epoch?: number): Buffer {
    const place = [this.#storeId, tenant, kind, name, version] as const;
    return epoch === undefined
      ? contextOf('a3s-box/broker-record/v1', ...place)
      : contextOf('a3s-box/broker-data-key/v1', ...place, epoch);
  }
}

/** The content is encrypted under a key and a nonce of its own each time. */
function idOf({ sealed }: Pick<StoredRecord, 'sealed'>): string {
  return createHash('sha256').update(sealed).digest('hex').slice(0, ID_DIGITS);
}

function newestOf(keys: RootKeys): number {
  return Math.max(...keys.epochs);
}

function wrongEpoch(keys: RootKeys, epoch: number): A3sError {
  const has = keys.epochs.join(', ');
  return new A3sError(
    'root-key',
    `The store needs epoch ${epoch} of the root key, which has ${has}`,
    {
      remedy: 'Use the root key that the broker used last, not an older or newer copy.',
    },
  );
}

function broken({ tenant, kind, name }: RecordKey): A3sError {
  return new A3sError('record-broken', `Cannot read the ${kind} ${tenant}/${name}: it was changed`);
}
