/**
 * The schema of the broker's store.
 *
 * @module
 */
import type { Migrations } from '../../state/database.ts';

export const MIGRATIONS: Migrations = [
  `CREATE TABLE records (
     tenant TEXT NOT NULL,
     kind TEXT NOT NULL,
     name TEXT NOT NULL,
     version INTEGER NOT NULL,
     epoch INTEGER NOT NULL,
     wrapped_key BLOB NOT NULL,
     sealed BLOB NOT NULL,
     changed_at INTEGER NOT NULL,
     declared INTEGER NOT NULL,
     PRIMARY KEY (tenant, kind, name)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX records_epoch ON records (epoch);
   CREATE TABLE stored_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE audit (seq INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
   CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;`,
  "ALTER TABLE audit ADD COLUMN mac TEXT NOT NULL DEFAULT ''",
  `CREATE TABLE sessions (
     place TEXT PRIMARY KEY,
     tenant TEXT NOT NULL,
     client TEXT NOT NULL,
     state TEXT NOT NULL,
     expires_at INTEGER NOT NULL,
     uses_left INTEGER NOT NULL,
     sealed BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX sessions_client ON sessions (client);
   CREATE INDEX sessions_end ON sessions (expires_at);`,
  `ALTER TABLE sessions ADD COLUMN launch TEXT NOT NULL DEFAULT '';
   CREATE INDEX sessions_launch ON sessions (launch);`,
  `CREATE TABLE releases (
     session TEXT NOT NULL,
     path TEXT NOT NULL,
     seq INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     PRIMARY KEY (session, path)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX releases_end ON releases (expires_at);`,
];
