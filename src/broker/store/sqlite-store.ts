/**
 * The broker's store in a file of SQLite, held by one process.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Database, openDatabase } from '../../state/database.ts';
import { MIGRATIONS } from './migrations.ts';
import { SqliteTransaction } from './sqlite-transaction.ts';
import type { BrokerStore } from './store.ts';
import { QueuedStore, type StoreConnection } from './transaction-queue.ts';

/** @throws A3sError `broker-running`, `broker-store`, `disk-full` */
export function openSqliteStore(path: string): BrokerStore {
  try {
    return new QueuedStore(new SqliteConnection(openDatabase(path, MIGRATIONS)));
  } catch (error) {
    throw translated(error, path);
  }
}

class SqliteConnection implements StoreConnection {
  readonly #database: Database;
  readonly statements: SqliteTransaction;

  constructor(database: Database) {
    this.#database = database;
    this.statements = new SqliteTransaction(database);
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  async begin(): Promise<void> {
    this.#database.exec('BEGIN IMMEDIATE');
  }

  async commit(): Promise<void> {
    this.#database.exec('COMMIT');
  }

  async rollback(): Promise<void> {
    this.#database.exec('ROLLBACK');
  }

  async savepoint(): Promise<void> {
    this.#database.exec('SAVEPOINT job');
  }

  async release(): Promise<void> {
    this.#database.exec('RELEASE job');
  }

  async undo(): Promise<void> {
    this.#database.exec('ROLLBACK TO job; RELEASE job');
  }

  explain(error: unknown): unknown {
    return translated(error, this.#database.name);
  }

  async close(): Promise<void> {
    this.#database.close();
  }
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
