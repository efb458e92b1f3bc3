/**
 * The broker's store in PostgreSQL, which several brokers may share.
 *
 * One lock of the database, held until the end of each transaction, makes them take turns: what a
 * transaction reads stays so until it is committed, as with a file of SQLite that one process
 * holds. The audit log so remains one chain with several writers.
 *
 * @module
 */
import type { QueryResult } from 'pg';
import { A3sError } from '../../errors.ts';
import { isRefusal, type PostgresAddress, PostgresClient, SCHEMA } from './postgres-client.ts';
import { POSTGRES_MIGRATIONS } from './postgres-migrations.ts';
import { PostgresTransaction } from './postgres-transaction.ts';
import type { BrokerStore } from './store.ts';
import { QueuedStore, type StoreConnection } from './transaction-queue.ts';

/** The number of the lock: "a3s-brok" in ASCII. Only brokers of one database share it. */
const LOCK = '7004068484253642603';
const DISK_FULL = '53100';

/** Isolated by the lock; each statement sees what was committed before the lock was taken. */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
  SELECT pg_advisory_xact_lock(${LOCK})`;
const VERSION = `SELECT version FROM ${SCHEMA}.schema_version`;

/** @throws A3sError `broker-store`, `broker-config`, `disk-full` */
export async function openPostgresStore(address: PostgresAddress): Promise<BrokerStore> {
  const connection = new PostgresConnection(address);
  try {
    await connection.migrate();
    return new QueuedStore(connection);
  } catch (error) {
    await connection.close();
    throw connection.explain(error);
  }
}

class PostgresConnection implements StoreConnection {
  readonly statements: PostgresTransaction;
  readonly #address: PostgresAddress;
  #client: PostgresClient | undefined;
  #begun = false;

  constructor(address: PostgresAddress) {
    this.#address = address;
    this.statements = new PostgresTransaction(() => this.#connected());
  }

  get inTransaction(): boolean {
    return this.#begun && this.#client?.isOpen === true;
  }

  async begin(): Promise<void> {
    const results = await this.#begin(`${BEGIN}; ${VERSION}`);
    const version: unknown = results.at(-1)?.rows[0]?.version;
    if (version !== POSTGRES_MIGRATIONS.length) throw otherVersion(version);
  }

  async commit(): Promise<void> {
    const [result] = await this.#connected().script('COMMIT');
    this.#begun = false;
    // So answers a server that has undone the transaction.
    if (result?.command !== 'COMMIT') {
      throw new A3sError('broker-store', 'PostgreSQL has undone a transaction');
    }
  }

  async rollback(): Promise<void> {
    this.#begun = false;
    // A server that does not answer undoes it when the connection ends, which it does then.
    await this.#connected()
      .script('ROLLBACK')
      .catch(() => this.#client?.close());
  }

  async savepoint(): Promise<void> {
    await this.#connected().script('SAVEPOINT job');
  }

  async release(): Promise<void> {
    await this.#connected().script('RELEASE job');
  }

  async undo(): Promise<void> {
    await this.#connected().script('ROLLBACK TO job; RELEASE job');
  }

  explain(error: unknown): unknown {
    if (!(error instanceof Error) || error instanceof A3sError) return error;
    const { host, port } = this.#address;
    if (isRefusal(error) && error.code === DISK_FULL) {
      const message = `Cannot write to PostgreSQL at ${host}:${port}: no space is left`;
      return new A3sError('disk-full', message, { cause: error });
    }
    // What the work of a transaction throws is its own.
    if (!isRefusal(error) && this.#client?.isOpen !== false) return error;
    const message = `PostgreSQL at ${host}:${port} failed: ${error.message}`;
    return new A3sError('broker-store', message, {
      ...(isRefusal(error) ? {} : { remedy: 'What was committed is in the audit log.' }),
      cause: error,
    });
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  /** Brings the schema up to date; of several brokers that start, one does. */
  async migrate(): Promise<void> {
    await this.#begin(BEGIN);
    const client = this.#connected();
    const [there] = await client.run<{ there: boolean }>({
      name: 'schema',
      text: `SELECT to_regclass('${SCHEMA}.schema_version') IS NOT NULL AS there`,
    });
    if (there?.there !== true) {
      await client.script(
        `CREATE SCHEMA IF NOT EXISTS ${SCHEMA};
         CREATE TABLE ${SCHEMA}.schema_version (version INTEGER NOT NULL);
         INSERT INTO ${SCHEMA}.schema_version VALUES (0)`,
      );
    }
    const [found] = await client.script(VERSION);
    const version: unknown = found?.rows[0]?.version;
    if (typeof version !== 'number' || version > POSTGRES_MIGRATIONS.length) {
      throw otherVersion(version);
    }
    for (const [step, sql] of POSTGRES_MIGRATIONS.entries()) {
      if (step < version) continue;
      await client.script(`${sql}; UPDATE ${SCHEMA}.schema_version SET version = ${step + 1}`);
    }
    await this.commit();
  }

  /** The server may have been started again since the last transaction: nothing has run yet. */
  async #begin(script: string): Promise<readonly QueryResult[]> {
    const kept = this.#client?.isOpen === true ? this.#client : undefined;
    if (kept !== undefined) {
      try {
        this.#begun = true;
        return await kept.script(script);
      } catch (error) {
        if (kept.isOpen) throw error;
      }
    }
    this.#begun = false;
    this.#client = await PostgresClient.connect(this.#address);
    // From here on there may be a transaction to undo, also where the lock was not to be had.
    this.#begun = true;
    return this.#client.script(script);
  }

  #connected(): PostgresClient {
    if (this.#client !== undefined) return this.#client;
    throw new A3sError('broker-store', 'There is no connection to PostgreSQL');
  }
}

function otherVersion(version: unknown): A3sError {
  const known = POSTGRES_MIGRATIONS.length;
  return new A3sError(
    'broker-store',
    `Cannot use the store: its schema is version ${String(version)}, and this a3s-box knows ${known}`,
    { remedy: 'Use the a3s-box that changed it last, for all brokers of this store.' },
  );
}
