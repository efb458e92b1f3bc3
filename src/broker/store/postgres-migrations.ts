/**
 * The schema of the broker's store in PostgreSQL.
 *
 * @module
 */
import type { Migrations } from '../../state/database.ts';

/** Names are ordered by their bytes, as in SQLite, whatever the locale of the database. */
const TEXT = 'TEXT COLLATE "C" NOT NULL';

/** Entries are only appended. */
export const POSTGRES_MIGRATIONS: Migrations = [
  `CREATE TABLE sessions (
     place ${TEXT} PRIMARY KEY,
     tenant ${TEXT},
     client ${TEXT},
     state ${TEXT},
     expires_at BIGINT NOT NULL,
     uses_left BIGINT NOT NULL,
     sealed BYTEA NOT NULL
   );
   CREATE INDEX sessions_client ON sessions (client);
   CREATE INDEX sessions_end ON sessions (expires_at);
   CREATE TABLE records (
     tenant ${TEXT},
     kind ${TEXT},
     name ${TEXT},
     version BIGINT NOT NULL,
     epoch BIGINT NOT NULL,
     wrapped_key BYTEA NOT NULL,
     sealed BYTEA NOT NULL,
     changed_at BIGINT NOT NULL,
     declared BOOLEAN NOT NULL,
     PRIMARY KEY (tenant, kind, name)
   );
   CREATE INDEX records_epoch ON records (epoch);
   CREATE TABLE stored_values (name ${TEXT} PRIMARY KEY, value TEXT NOT NULL);
   CREATE TABLE audit (
     seq BIGINT PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL, mac TEXT NOT NULL
   );
   CREATE TABLE checkpoints (seq BIGINT PRIMARY KEY, text TEXT NOT NULL)`,
  `ALTER TABLE sessions ADD COLUMN launch ${TEXT} DEFAULT '';
   CREATE INDEX sessions_launch ON sessions (launch)`,
  `CREATE TABLE releases (
     session ${TEXT},
     path ${TEXT},
     seq BIGINT NOT NULL,
     expires_at BIGINT NOT NULL,
     PRIMARY KEY (session, path)
   );
   CREATE INDEX releases_end ON releases (expires_at)`,
];
