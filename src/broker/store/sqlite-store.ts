/**
 * The broker's store in a file of SQLite, held by one process.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Database, openDatabase } from '../../state/database.ts';
import { MIGRATIONS } from './migrations.ts';
import { SqliteTransaction } from './sqlite-transaction.ts';
import type { BrokerStore, StoreTransaction } from './store.ts';

/** How many transactions share a commit, and so a sync of the disk. */
const MAX_BATCH = 256;

interface Job {
  /** Runs the work in a savepoint; returns how its caller learns of the result. */
  readonly run: () => Promise<(failure: unknown) => void>;
}

/** @throws A3sError `broker-running`, `broker-store`, `disk-full` */
export function openSqliteStore(path: string): BrokerStore {
  try {
    return new SqliteStore(openDatabase(path, MIGRATIONS));
  } catch (error) {
    throw translated(error, path);
  }
}

class SqliteStore implements BrokerStore {
  readonly #database: Database;
  readonly #transaction: SqliteTransaction;
  readonly #queue: Job[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(database: Database) {
    this.#database = database;
    this.#transaction = new SqliteTransaction(database);
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
    this.#database.close();
  }

  /** Transactions that wait together are committed together; each fails by itself. */
  async #drain(): Promise<void> {
    // The first caller's transaction begins after those that are asked for in the same turn.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_BATCH);
      const answers: ((failure: unknown) => void)[] = [];
      let failure: unknown;
      try {
        this.#database.exec('BEGIN IMMEDIATE');
        for (const { run } of batch) answers.push(await run());
        this.#database.exec('COMMIT');
      } catch (error) {
        failure = translated(error, this.#database.name);
        if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
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
    if (!this.#database.inTransaction) return reject;
    this.#database.exec('SAVEPOINT job');
    try {
      const value = await work(this.#transaction);
      this.#database.exec('RELEASE job');
      return (failure) => (failure === undefined ? resolve(value) : reject(failure));
    } catch (error) {
      // A disk that is full may have ended the whole transaction.
      if (!this.#database.inTransaction) throw error;
      this.#database.exec('ROLLBACK TO job; RELEASE job');
      return () => reject(error);
    }
  }
}

/** Outside of a transaction a job only hands over how it is refused. */
async function failed(run: Job['run'], failure: unknown): Promise<(failure: unknown) => void> {
  const answer = await run();
  return () => answer(failure);
}

function translated(error: unknown, path: string): unknown {
  if (error instanceof A3sError) {
    if (error.code === 'server-running') {
      return new A3sError('broker-running', `Cannot open ${path}: another broker holds it`, {
        cause: error,
      });
    }
    if (error.code === 'state-unusable') {
      return new A3sError('broker-store', error.message, { cause: error });
    }
    return error;
  }
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_FULL')) {
    return new A3sError('disk-full', `Cannot write ${path}: no space is left`, { cause: error });
  }
  return error;
}
