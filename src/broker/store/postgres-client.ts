/**
 * One connection to PostgreSQL, of one use: what fails on the way ends it.
 *
 * Nothing is taken from the environment or from a password file of libpq: `pg` would look there for
 * what it is not given.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Client, CustomTypesConfig, QueryResult, QueryResultRow } from 'pg';
import { A3sError } from '../../errors.ts';
import { readPrivateFile } from '../keys/private-file.ts';

/** Where the database is. */
export interface PostgresAddress {
  /** A host, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** A file that only its owner can read; read for each connection. */
  readonly passwordFile?: string | undefined;
  /** The certificates that the server's has to be issued by; absent: without TLS. */
  readonly tls?: { readonly ca: string } | undefined;
}

/** All tables are in it. */
export const SCHEMA = 'a3s_broker';

const CONNECT_MS = 10_000;
/** Beyond the server's own limit: then the server, or the way to it, is gone. */
const ANSWER_MS = 45_000;
const MAX_PASSWORD = 4096;

/** A broker that hangs in a transaction keeps the others waiting: the server ends it. */
const SETTINGS = [
  ['search_path', `${SCHEMA},pg_temp`],
  ['statement_timeout', '30s'],
  ['lock_timeout', '20s'],
  ['idle_in_transaction_session_timeout', '10s'],
  ['client_encoding', 'UTF8'],
  ['standard_conforming_strings', 'on'],
] as const;

export interface Statement {
  readonly name: string;
  readonly text: string;
}

export class PostgresClient {
  readonly #client: Client;
  readonly #socket: Socket;
  #lost: Error | undefined;

  private constructor(client: Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
    client.on('error', (error) => this.#lose(error));
    client.on('end', () => this.#lose(new Error('the server ended the connection')));
  }

  /** @throws A3sError `broker-store`, `broker-config` */
  static async connect(address: PostgresAddress): Promise<PostgresClient> {
    // Brokers with a file of SQLite never load it.
    const { default: pg } = await import('pg');
    const types: CustomTypesConfig = {
      getTypeParser: (oid, format) =>
        oid === pg.types.builtins.INT8 ? safeInteger : pg.types.getTypeParser(oid, format),
    };
    const { host, port, database, user, passwordFile, tls } = address;
    const ssl = tls && { ca: await authorities(tls.ca), rejectUnauthorized: true };
    const socket = new Socket();
    const client = new pg.Client({
      ...{ host, port, database, user, types },
      ssl: ssl ?? false,
      stream: () => socket,
      password: () => passwordOf(passwordFile),
      options: SETTINGS.map(([name, value]) => `-c ${name}=${value}`).join(' '),
      application_name: 'a3s-box-broker',
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
      keepAlive: true,
    });
    const connection = new PostgresClient(client, socket);
    try {
      await client.connect();
      await connection.#prepare();
      return connection;
    } catch (error) {
      connection.#lose(error);
      if (error instanceof A3sError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new A3sError('broker-store', `Cannot use PostgreSQL at ${host}:${port}: ${reason}`, {
        remedy: 'Check that it runs, and `store.postgresql` in broker.yaml.',
        cause: error,
      });
    }
  }

  /** Whether it can be used; a connection that was lost never can again. */
  get isOpen(): boolean {
    return this.#lost === undefined;
  }

  /** Statements without values, in one message; the results of each. */
  async script(text: string): Promise<readonly QueryResult[]> {
    const results: QueryResult | QueryResult[] = await this.#ask(() => this.#client.query(text));
    return Array.isArray(results) ? results : [results];
  }

  /** A statement that the server prepares once, under a name. */
  async run<Row extends QueryResultRow>(
    { name, text }: Statement,
    ...values: readonly unknown[]
  ): Promise<readonly Row[]> {
    const query = { name, text, values: [...values] };
    const { rows } = await this.#ask(() => this.#client.query<Row>(query));
    return rows;
  }

  async close(): Promise<void> {
    if (this.isOpen) await this.#client.end();
  }

  async #ask<T>(query: () => Promise<T>): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost;
    try {
      return await query();
    } catch (error) {
      // After anything but a refusal nobody knows which statements the server has run.
      if (!isRefusal(error)) this.#lose(error);
      throw error;
    }
  }

  #lose(reason: unknown): void {
    this.#lost ??= reason instanceof Error ? reason : new Error(String(reason));
    this.#socket.destroy();
  }

  async #prepare(): Promise<void> {
    const [settings] = await this.run<{ encoding: string; commit: string }>(SERVER);
    if (settings?.encoding !== 'UTF8') {
      const found = String(settings?.encoding);
      throw new A3sError('broker-store', `The encoding of the database is ${found}, not UTF8`);
    }
    // What a server promises beyond that, such as a copy on another one, stays.
    if (settings.commit === 'off') await this.script('SET synchronous_commit = on');
  }
}

const SERVER: Statement = {
  name: 'server',
  text: `SELECT current_setting('server_encoding') AS encoding,
           current_setting('synchronous_commit') AS commit`,
};

/** What the server refuses, and goes on after. */
export function isRefusal(error: unknown): error is Error & { readonly code: string } {
  return (
    error instanceof Error &&
    'severity' in error &&
    error.severity === 'ERROR' &&
    'code' in error &&
    typeof error.code === 'string'
  );
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new A3sError('broker-store', `The store has a number that is too large: ${text}`);
}

/** `pg` looks for a password of its own where it is given none; this one is asked for if needed. */
async function passwordOf(path: string | undefined): Promise<string> {
  if (path === undefined) {
    throw new A3sError(
      'broker-config',
      'PostgreSQL asks for a password: store has no passwordFile',
    );
  }
  const text = (await readPrivateFile(path, MAX_PASSWORD)).toString();
  return text.replace(/\n$/, '');
}

async function authorities(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: Error) => {
    throw new A3sError('broker-config', `Cannot read ${path}: ${cause.message}`, { cause });
  });
}
