/**
 * The records of all volumes: stored in SQLite, read from a map.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Database, Migrations } from '../state/database.ts';
import { withReserve } from '../state/reserve.ts';
import { Volume } from './volume.ts';

export const VOLUME_MIGRATIONS: Migrations = [
  `CREATE TABLE volumes (
     name TEXT PRIMARY KEY,
     record TEXT NOT NULL
   ) STRICT`,
];

interface Row {
  readonly name: string;
  readonly record: string;
}

export class VolumeRecords {
  readonly #database: Database;
  readonly #volumes = new Map<string, Volume>();

  /** @throws A3sError `state-unusable` when a record cannot be read; nothing is dropped */
  constructor(database: Database) {
    this.#database = database;
    for (const row of database.prepare<[], Row>('SELECT name, record FROM volumes').all()) {
      this.#volumes.set(row.name, read(row));
    }
  }

  /** By name, those that are being removed included. */
  list(): Volume[] {
    return [...this.#volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): Volume | undefined {
    return this.#volumes.get(name);
  }

  /** Makes the record, or replaces it. It is on the disk when this returns. */
  put(volume: Volume): Volume {
    const put = () =>
      this.#database
        .prepare('INSERT OR REPLACE INTO volumes (name, record) VALUES (?, ?)')
        .run(volume.name, JSON.stringify(volume));
    if (volume.state === 'removing') withReserve(this.#database, put);
    else put();
    this.#volumes.set(volume.name, volume);
    return volume;
  }

  remove(name: string): void {
    withReserve(this.#database, () =>
      this.#database.prepare('DELETE FROM volumes WHERE name = ?').run(name),
    );
    this.#volumes.delete(name);
  }
}

function read({ name, record }: Row): Volume {
  try {
    return Volume.parse(JSON.parse(record));
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot read the record of volume ${name}`, { cause });
  }
}
