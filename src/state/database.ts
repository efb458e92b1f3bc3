/**
 * The one database of an `A3S_HOME`, held by one server at a time.
 *
 * SQLite's exclusive locking mode is the lock: a second server cannot open the database, and the
 * kernel releases the lock when the holder dies.
 *
 * @module
 */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { isDiskFull } from '../disk-full.ts';
import { A3sError } from '../errors.ts';

export type { Database } from 'better-sqlite3';

/** SQL that takes the schema from version n to n+1. Entries are only appended. */
export type Migrations = readonly string[];

/**
 * Opens the database, locks it, and brings its schema up to date. Only its owner can read it:
 * records hold the inputs of boxes, secrets among them.
 *
 * @param onFresh called before anything is made where there are no records yet; throws to prevent
 * it
 * @throws A3sError `server-running` when another process holds it; `state-unusable` when it is
 * damaged or was written by a newer version. Neither changes the file.
 */
export function openDatabase(
  path: string,
  migrations: Migrations,
  onFresh: () => void = () => undefined,
): Database.Database {
  let database: Database.Database | undefined;
  try {
    // Checked before SQLite opens it: SQLite would drop the write-ahead log of a database that was
    // moved away.
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) onFresh();
    makePrivate(path);
    database = new Database(path, { timeout: 0 });
    database.pragma('locking_mode = EXCLUSIVE');
    // Checked before the journal's mode is set: that would change the file.
    schemaVersion(database, path, migrations);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    // The first write takes the lock, and exclusive mode keeps it.
    database.exec('BEGIN IMMEDIATE; COMMIT');
    if (database.pragma('user_version', { simple: true }) === 0) onFresh();
    migrate(database, path, migrations);
    return database;
  } catch (error) {
    database?.close();
    throw explain(error, path);
  }
}

/**
 * Does work whose commits survive the death of this process, but perhaps not that of the host: they
 * reach the disk with the next ordinary commit, and a power cut before it reverts them all. Each
 * costs a millisecond or more less.
 */
export function withoutSync<T>(database: Pick<Database.Database, 'pragma'>, work: () => T): T {
  database.pragma('synchronous = NORMAL');
  try {
    return work();
  } finally {
    database.pragma('synchronous = FULL');
  }
}

/** SQLite's name for a database without a file. */
const IN_MEMORY = ':memory:';

/** SQLite gives the files beside it the mode of the database. */
function makePrivate(path: string): void {
  if (path === IN_MEMORY) return;
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    // An existing file is not opened: closing it would release a lock that this process may hold on
    // it.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) chmodSync(file, 0o600);
  }
}

function schemaVersion(database: Database.Database, path: string, migrations: Migrations): number {
  const version = database.pragma('user_version', { simple: true });
  if (typeof version !== 'number' || version > migrations.length) {
    throw new A3sError(
      'state-unusable',
      `Cannot use ${path}: its schema is version ${String(version)}, and this a3s-box knows up to ${migrations.length}`,
      { remedy: 'Use the a3s-box that wrote it, or another A3S_HOME.' },
    );
  }
  return version;
}

function migrate(database: Database.Database, path: string, migrations: Migrations): void {
  const version = schemaVersion(database, path, migrations);
  for (const [step, sql] of migrations.entries()) {
    if (step < version) continue;
    database.transaction(() => {
      database.exec(sql);
      database.pragma(`user_version = ${step + 1}`);
    })();
  }
}

function explain(error: unknown, path: string): unknown {
  if (error instanceof Error && 'syscall' in error) {
    const full = isDiskFull(error);
    return new A3sError(
      full ? 'disk-full' : 'state-unusable',
      `Cannot make ${path}: ${error.message}`,
      {
        remedy: full
          ? 'Free some space and try again.'
          : 'Set A3S_HOME to a directory of your own that can be written.',
        cause: error,
      },
    );
  }
  if (!(error instanceof Database.SqliteError)) return error;
  if (error.code.startsWith('SQLITE_BUSY')) {
    return new A3sError('server-running', `Cannot open ${path}: another server holds it`, {
      remedy: 'Use the running server, or choose another A3S_HOME.',
      cause: error,
    });
  }
  if (error.code.startsWith('SQLITE_FULL')) {
    return new A3sError('disk-full', `Cannot write ${path}: no space is left`, {
      remedy: 'Free some space and try again.',
      cause: error,
    });
  }
  return new A3sError('state-unusable', `Cannot use ${path}: ${error.message}`, {
    remedy:
      'Restore it from a copy together with its -wal file, or move the whole A3S_HOME aside to start empty.',
    cause: error,
  });
}
