/**
 * Runs transactions one after the other over one connection; those that wait share a commit, and so
 * a sync of the disk.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { BrokerStore, StoreTransaction } from './store.ts';

/** How many transactions share a commit. */
const MAX_BATCH = 256;

/** A connection to a database. */
export interface StoreConnection {
  /** The statements, of the transaction that is open. */
  readonly statements: StoreTransaction;
  /** Whether a transaction is open; a failure may have ended it. */
  readonly inTransaction: boolean;
  /** Nobody else writes until this transaction ends, in other processes neither. */
  begin(): Promise<void>;
  /** Resolves once everything is on the disk. */
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Begins a part that can be undone by itself. */
  savepoint(): Promise<void>;
  release(): Promise<void>;
  undo(): Promise<void>;
  /** What the caller of a transaction gets for a failure. */
  explain(error: unknown): unknown;
  close(): Promise<void>;
}

interface Job {
  /** Runs the work in a savepoint; returns how its caller learns of the result. */
  readonly run: () => Promise<(failure: unknown) => void>;
}

export class QueuedStore implements BrokerStore {
  readonly #connection: StoreConnection;
  readonly #queue: Job[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(connection: StoreConnection) {
    this.#connection = connection;
  }

  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    if (this.#closed) {
      return Promise.reject(new A3sError('broker-store', 'The store is closed'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ run: () => this.#attempt(work, resolve, reject) });
      this.#draining ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#draining;
    await this.#connection.close();
  }

  /** Transactions that wait together are committed together; each fails by itself. */
  async #drain(): Promise<void> {
    const connection = this.#connection;
    // The first caller's transaction begins after those that are asked for in the same turn.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_BATCH);
      const answers: ((failure: unknown) => void)[] = [];
      let failure: unknown;
      try {
        await connection.begin();
        for (const { run } of batch) answers.push(await run());
        await connection.commit();
      } catch (error) {
        failure = connection.explain(error);
        if (connection.inTransaction) await connection.rollback();
        // What was not begun is tried again with the next batch, where BEGIN itself did not fail.
        const rest = batch.slice(answers.length);
        if (rest.length > 0 && answers.length > 0) this.#queue.unshift(...rest);
        else for (const { run } of rest) answers.push(await failed(run, failure));
      }
      for (const answer of answers) answer(failure);
    }
    this.#draining = undefined;
  }

  async #attempt<T>(
    work: (transaction: StoreTransaction) => Promise<T>,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ): Promise<(failure: unknown) => void> {
    const connection = this.#connection;
    if (!connection.inTransaction) return reject;
    await connection.savepoint();
    try {
      const value = await work(connection.statements);
      await connection.release();
      return (failure) => (failure === undefined ? resolve(value) : reject(failure));
    } catch (error) {
      // A full disk, or a connection that is lost, ended the whole transaction.
      if (!connection.inTransaction) throw error;
      await connection.undo();
      const reason = connection.explain(error);
      return () => reject(reason);
    }
  }
}

/** Outside of a transaction a job only hands over how it is refused. */
async function failed(run: Job['run'], failure: unknown): Promise<(failure: unknown) => void> {
  const answer = await run();
  return () => answer(failure);
}
