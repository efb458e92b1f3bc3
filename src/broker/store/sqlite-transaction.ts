/**
 * The statements of the broker's store in SQLite.
 *
 * @module
 */
import type { Database } from '../../state/database.ts';
import type { RecordRow, SessionRow } from './rows.ts';
import type {
  AuthenticatedEntry,
  RecordKey,
  RecordKind,
  StoredCheckpoint,
  StoredFacts,
  StoredRecord,
  StoredRelease,
  StoredSession,
  StoreTransaction,
  Usage,
} from './store.ts';

type Row = RecordRow<number>;

type FactsRow = Pick<Row, 'name' | 'version' | 'changed_at' | 'declared'>;

export class SqliteTransaction implements StoreTransaction {
  readonly #statements: ReturnType<typeof prepareAll>;

  constructor(database: Database) {
    this.#statements = prepareAll(database);
  }

  async record({ tenant, kind, name }: RecordKey): Promise<StoredRecord | undefined> {
    const row = this.#statements.record.get(tenant, kind, name);
    return row === undefined ? undefined : recordOf(row);
  }

  async records(tenant: string, kind: RecordKind): Promise<readonly StoredRecord[]> {
    return this.#statements.records.all(tenant, kind).map(recordOf);
  }

  async facts(tenant: string, kind: RecordKind): Promise<readonly StoredFacts[]> {
    const rows = this.#statements.facts.all(tenant, kind);
    return rows.map(({ name, version, changed_at, declared }) => ({
      ...{ name, version },
      ...{ changedAt: changed_at, declared: declared !== 0 },
    }));
  }

  async usage(tenant: string, kind: RecordKind): Promise<Usage> {
    return this.#statements.usage.get(tenant, kind) ?? { records: 0, bytes: 0 };
  }

  async putRecord(record: StoredRecord): Promise<void> {
    const { tenant, kind, name, version, epoch, wrappedKey, sealed, changedAt, declared } = record;
    const values = [version, epoch, wrappedKey, sealed, changedAt, declared ? 1 : 0] as const;
    this.#statements.putRecord.run(tenant, kind, name, ...values);
  }

  async removeRecord({ tenant, kind, name }: RecordKey): Promise<void> {
    this.#statements.removeRecord.run(tenant, kind, name);
  }

  async recordsBelow(epoch: number, limit: number): Promise<readonly StoredRecord[]> {
    return this.#statements.recordsBelow.all(epoch, limit).map(recordOf);
  }

  async epochsInUse(): Promise<readonly number[]> {
    return this.#statements.epochs.all().map(({ epoch }) => epoch);
  }

  async value(name: string): Promise<string | undefined> {
    return this.#statements.value.get(name)?.value;
  }

  async setValue(name: string, value: string): Promise<void> {
    this.#statements.setValue.run(name, value);
  }

  async lastEntry(): Promise<AuthenticatedEntry | undefined> {
    return this.#statements.lastEntry.get();
  }

  async entries(from: number, limit: number): Promise<readonly AuthenticatedEntry[]> {
    return this.#statements.entries.all(from, limit);
  }

  async appendEntry({ seq, body, hash, mac }: AuthenticatedEntry): Promise<void> {
    this.#statements.appendEntry.run(seq, body, hash, mac);
  }

  async lastCheckpoint(): Promise<StoredCheckpoint | undefined> {
    return this.#statements.lastCheckpoint.get();
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    return this.#statements.checkpoints.all();
  }

  async appendCheckpoint({ seq, text }: StoredCheckpoint): Promise<void> {
    this.#statements.appendCheckpoint.run(seq, text);
  }

  async session(place: string): Promise<StoredSession | undefined> {
    const row = this.#statements.session.get(place);
    if (row === undefined) return undefined;
    const { expires_at: expiresAt, uses_left: left, ...rest } = row;
    return { ...rest, expiresAt, left };
  }

  async putSession(session: StoredSession): Promise<void> {
    const { place, tenant, client, launch, state, expiresAt, left, sealed } = session;
    const values = [client, launch, state, expiresAt, left, sealed] as const;
    this.#statements.putSession.run(place, tenant, ...values);
  }

  async removeSession(place: string): Promise<void> {
    this.#statements.removeSession.run(place);
  }

  async sessionCounts(client: string): Promise<{ readonly all: number; readonly mine: number }> {
    return this.#statements.sessionCounts.get(client) ?? { all: 0, mine: 0 };
  }

  async evictSession(client: string | undefined): Promise<boolean> {
    return this.#statements.evictSession.run(client ?? null, client ?? null).changes > 0;
  }

  async endOlderSessions(launch: string, keep: number): Promise<void> {
    this.#statements.endOlderSessions.run(launch, keep);
  }

  async expireSessions(now: number): Promise<void> {
    this.#statements.expireSessions.run(now);
  }

  async endSessions(tenant: string): Promise<number> {
    return this.#statements.endSessions.run(tenant).changes;
  }

  async releaseEntry(session: string, path: string): Promise<number | undefined> {
    return this.#statements.releaseEntry.get(session, path)?.seq;
  }

  async putRelease({ session, path, seq, expiresAt }: StoredRelease): Promise<void> {
    this.#statements.putRelease.run(session, path, seq, expiresAt);
  }

  async expireReleases(now: number): Promise<void> {
    this.#statements.expireReleases.run(now);
  }
}

function prepareAll(database: Database) {
  return {
    record: database.prepare<[string, string, string], Row>(
      'SELECT * FROM records WHERE tenant = ? AND kind = ? AND name = ?',
    ),
    records: database.prepare<[string, string], Row>(
      'SELECT * FROM records WHERE tenant = ? AND kind = ? ORDER BY name',
    ),
    facts: database.prepare<[string, string], FactsRow>(
      'SELECT name, version, changed_at, declared FROM records WHERE tenant = ? AND kind = ? ORDER BY name',
    ),
    // SQLite takes the length of a blob from the header of its row.
    usage: database.prepare<[string, string], Usage>(
      'SELECT COUNT(*) AS records, COALESCE(SUM(LENGTH(sealed)), 0) AS bytes FROM records WHERE tenant = ? AND kind = ?',
    ),
    putRecord: database.prepare(
      'INSERT OR REPLACE INTO records (tenant, kind, name, version, epoch, wrapped_key, sealed, changed_at, declared) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    removeRecord: database.prepare(
      'DELETE FROM records WHERE tenant = ? AND kind = ? AND name = ?',
    ),
    recordsBelow: database.prepare<[number, number], Row>(
      'SELECT * FROM records WHERE epoch < ? ORDER BY epoch LIMIT ?',
    ),
    epochs: database.prepare<[], { epoch: number }>(
      'SELECT DISTINCT epoch FROM records ORDER BY epoch',
    ),
    value: database.prepare<[string], { value: string }>(
      'SELECT value FROM stored_values WHERE name = ?',
    ),
    setValue: database.prepare('INSERT OR REPLACE INTO stored_values (name, value) VALUES (?, ?)'),
    lastEntry: database.prepare<[], AuthenticatedEntry>(
      'SELECT * FROM audit ORDER BY seq DESC LIMIT 1',
    ),
    entries: database.prepare<[number, number], AuthenticatedEntry>(
      'SELECT * FROM audit WHERE seq >= ? ORDER BY seq LIMIT ?',
    ),
    appendEntry: database.prepare('INSERT INTO audit (seq, body, hash, mac) VALUES (?, ?, ?, ?)'),
    lastCheckpoint: database.prepare<[], StoredCheckpoint>(
      'SELECT * FROM checkpoints ORDER BY seq DESC LIMIT 1',
    ),
    checkpoints: database.prepare<[], StoredCheckpoint>('SELECT * FROM checkpoints ORDER BY seq'),
    appendCheckpoint: database.prepare('INSERT INTO checkpoints (seq, text) VALUES (?, ?)'),
    session: database.prepare<[string], SessionRow>('SELECT * FROM sessions WHERE place = ?'),
    putSession: database.prepare(
      'INSERT OR REPLACE INTO sessions (place, tenant, client, launch, state, expires_at, uses_left, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    removeSession: database.prepare('DELETE FROM sessions WHERE place = ?'),
    sessionCounts: database.prepare<[string], { all: number; mine: number }>(
      'SELECT COUNT(*) AS "all", COUNT(*) FILTER (WHERE client = ?) AS mine FROM sessions',
    ),
    evictSession: database.prepare<[string | null, string | null]>(
      "DELETE FROM sessions WHERE place = (SELECT place FROM sessions WHERE state = 'challenged' AND (? IS NULL OR client = ?) ORDER BY expires_at LIMIT 1)",
    ),
    endOlderSessions: database.prepare<[string, number]>(
      "DELETE FROM sessions WHERE place IN (SELECT place FROM sessions WHERE launch = ? AND state = 'attested' ORDER BY expires_at DESC LIMIT -1 OFFSET ?)",
    ),
    expireSessions: database.prepare('DELETE FROM sessions WHERE expires_at <= ?'),
    endSessions: database.prepare('DELETE FROM sessions WHERE tenant = ?'),
    releaseEntry: database.prepare<[string, string], { seq: number }>(
      'SELECT seq FROM releases WHERE session = ? AND path = ?',
    ),
    putRelease: database.prepare(
      'INSERT OR REPLACE INTO releases (session, path, seq, expires_at) VALUES (?, ?, ?, ?)',
    ),
    expireReleases: database.prepare('DELETE FROM releases WHERE expires_at <= ?'),
  };
}

function recordOf(row: Row): StoredRecord {
  const { tenant, kind, name, version, epoch, sealed } = row;
  const key = { tenant, kind, name, version, epoch, sealed };
  return {
    ...key,
    wrappedKey: row.wrapped_key,
    changedAt: row.changed_at,
    declared: row.declared !== 0,
  };
}
