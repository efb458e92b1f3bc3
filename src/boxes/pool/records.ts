/**
 * The records of all pools: SQLite keeps them, a map serves reads. Their microVMs are not on
 * record: they end with the server.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Database, Migrations } from '../../state/database.ts';
import { PoolDefinition } from './definition.ts';

export const POOL_MIGRATIONS: Migrations = [
  `CREATE TABLE pools (
     name TEXT PRIMARY KEY,
     definition TEXT NOT NULL
   ) STRICT`,
];

interface Row {
  readonly name: string;
  readonly definition: string;
}

export class PoolRecords {
  readonly #database: Database;
  readonly #definitions = new Map<string, PoolDefinition>();

  /** @throws A3sError `state-unusable` when a record cannot be read; nothing is dropped */
  constructor(database: Database) {
    this.#database = database;
    for (const row of database.prepare<[], Row>('SELECT name, definition FROM pools').all()) {
      this.#definitions.set(row.name, read(row));
    }
  }

  /** Sorted by name. */
  list(): PoolDefinition[] {
    return [...this.#definitions.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): PoolDefinition | undefined {
    return this.#definitions.get(name);
  }

  put(definition: PoolDefinition): void {
    this.#database
      .prepare(
        'INSERT INTO pools (name, definition) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition',
      )
      .run(definition.name, JSON.stringify(definition));
    this.#definitions.set(definition.name, definition);
  }

  remove(name: string): void {
    this.#database.prepare('DELETE FROM pools WHERE name = ?').run(name);
    this.#definitions.delete(name);
  }
}

function read({ name, definition }: Row): PoolDefinition {
  try {
    return PoolDefinition.parse(JSON.parse(definition));
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot read the record of pool ${name}`, {
      remedy: 'Restore the database from a copy, or choose another A3S_HOME.',
      cause,
    });
  }
}
