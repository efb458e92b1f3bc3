/**
 * The records of all snapshots: stored in SQLite, read from a map.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Database, Migrations } from '../state/database.ts';
import { withReserve } from '../state/reserve.ts';
import { SnapshotRecord } from './snapshot.ts';

export const SNAPSHOT_MIGRATIONS: Migrations = [
  `CREATE TABLE snapshots (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     record TEXT NOT NULL
   ) STRICT`,
];

interface Row {
  readonly id: string;
  readonly record: string;
}

export class SnapshotRecords {
  readonly #database: Database;
  readonly #records = new Map<string, SnapshotRecord>();

  /** @throws A3sError `state-unusable` when a record cannot be read; nothing is dropped */
  constructor(database: Database) {
    this.#database = database;
    for (const row of database.prepare<[], Row>('SELECT id, record FROM snapshots').all()) {
      this.#records.set(row.id, read(row));
    }
  }

  /** Oldest first. */
  list(): SnapshotRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  /**
   * Finds a record by full id, by name, or by a prefix of the id that no other record shares, in
   * this order.
   *
   * @throws A3sError `no-such-snapshot`, `invalid-argument` for a prefix of several
   */
  resolve(reference: string): SnapshotRecord {
    const exact = this.#records.get(reference) ?? this.byName(reference);
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]{1,64}$/.test(reference)
      ? this.list().filter(({ id }) => id.startsWith(reference))
      : [];
    const [first, second] = matches;
    if (second !== undefined) {
      throw new A3sError(
        'invalid-argument',
        `Several snapshots have ids that begin so: ${reference}`,
      );
    }
    if (first !== undefined) return first;
    throw new A3sError('no-such-snapshot', `No such snapshot: ${reference}`, {
      remedy: 'List them with a3s-box snapshot ls.',
    });
  }

  byName(name: string): SnapshotRecord | undefined {
    return this.list().find((record) => record.name === name);
  }

  /** @throws A3sError `name-in-use` */
  insert(record: SnapshotRecord): void {
    if (this.byName(record.name) !== undefined) {
      throw new A3sError('name-in-use', `The snapshot name ${record.name} is in use`, {
        remedy: `Choose another one, or remove it with a3s-box snapshot rm ${record.name}.`,
      });
    }
    this.#database
      .prepare('INSERT INTO snapshots (id, name, record) VALUES (?, ?, ?)')
      .run(record.id, record.name, JSON.stringify(record));
    this.#records.set(record.id, record);
  }

  update(record: SnapshotRecord): void {
    this.#database
      .prepare('UPDATE snapshots SET record = ? WHERE id = ?')
      .run(JSON.stringify(record), record.id);
    this.#records.set(record.id, record);
  }

  remove(id: string): void {
    withReserve(this.#database, () =>
      this.#database.prepare('DELETE FROM snapshots WHERE id = ?').run(id),
    );
    this.#records.delete(id);
  }
}

function read({ id, record }: Row): SnapshotRecord {
  try {
    return SnapshotRecord.parse(JSON.parse(record));
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot read the record of snapshot ${id}`, { cause });
  }
}
