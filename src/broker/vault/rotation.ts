/**
 * Rotates the root key: a new epoch, every data key wrapped again, and the old epochs removed.
 *
 * Each step is durable before the next, and a broker that starts goes on where one ended.
 *
 * @module
 */
import type { AuditLog } from '../audit/audit-log.ts';
import type { RootKeys } from '../keys/root-keys.ts';
import type { BrokerStore } from '../store/store.ts';
import type { Vault } from './vault.ts';

const BATCH = 64;
/** The last epoch under which everything was wrapped. */
const COMPLETED = 'root-key-rewrapped';

export class Rotation {
  readonly #store: BrokerStore;
  readonly #vault: Vault;
  readonly #keys: RootKeys;
  readonly #audit: AuditLog;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(store: BrokerStore, vault: Vault, keys: RootKeys, audit: AuditLog) {
    this.#store = store;
    this.#vault = vault;
    this.#keys = keys;
    this.#audit = audit;
  }

  /**
   * Makes a new epoch the current one. Records are wrapped again by {@link complete}.
   *
   * The root key is changed within transactions: several brokers may have it, and one of them has a
   * transaction at a time.
   */
  begin(actor: string): Promise<number> {
    return this.#store.transaction(async (transaction) => {
      // A broker that lacks an epoch of another one would make a second epoch of that number.
      await this.#vault.currentEpoch(transaction);
      const epoch = await this.#keys.add();
      await this.#vault.enter(transaction, epoch);
      const event = { actor, action: 'root-key-rotated', details: { epoch } };
      await this.#audit.append(transaction, event);
      return epoch;
    });
  }

  /** Wraps what older epochs wrapped, and removes those; stops early once `signal` aborts. */
  complete(signal: AbortSignal): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run(signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (this.#again && !signal.aborted) {
      this.#again = false;
      while (!signal.aborted) {
        const count = await this.#store.transaction((transaction) =>
          this.#vault.rewrap(transaction, BATCH),
        );
        if (count < BATCH) break;
      }
      if (signal.aborted) return;
      const epoch = await this.#record();
      // In another transaction: what the first one saw is on the disk then.
      await this.#store.transaction(() => this.#keys.retireBelow(epoch));
    }
  }

  /** Once for each epoch, with the check that nothing needs an older one. */
  async #record(): Promise<number> {
    return this.#store.transaction(async (transaction) => {
      // What the store has counts: without its current epoch in the key file no broker opens it.
      const needed = Math.min(
        await this.#vault.storedEpoch(transaction),
        ...(await transaction.epochsInUse()),
      );
      const completed = Number((await transaction.value(COMPLETED)) ?? 1);
      if (needed > completed) {
        await transaction.setValue(COMPLETED, String(needed));
        const details = { epoch: needed };
        await this.#audit.append(transaction, {
          ...{ actor: 'broker', action: 'root-key-rewrapped' },
          details,
        });
      }
      return needed;
    });
  }
}
