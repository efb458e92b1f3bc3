/**
 * The statements of the broker's store in PostgreSQL.
 *
 * @module
 */
import type { PostgresClient, Statement } from './postgres-client.ts';
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

type Row = RecordRow<boolean>;

export class PostgresTransaction implements StoreTransaction {
  /** The connection of this moment: another one follows one that was lost. */
  readonly #client: () => PostgresClient;

  constructor(client: () => PostgresClient) {
    this.#client = client;
  }

  async record({ tenant, kind, name }: RecordKey): Promise<StoredRecord | undefined> {
    const [row] = await this.#client().run<Row>(SQL.record, tenant, kind, name);
    return row === undefined ? undefined : recordOf(row);
  }

  async records(tenant: string, kind: RecordKind): Promise<readonly StoredRecord[]> {
    return (await this.#client().run<Row>(SQL.records, tenant, kind)).map(recordOf);
  }

  async facts(tenant: string, kind: RecordKind): Promise<readonly StoredFacts[]> {
    const rows = await this.#client().run<Row>(SQL.facts, tenant, kind);
    return rows.map(({ name, version, changed_at, declared }) => ({
      ...{ name, version, declared },
      changedAt: changed_at,
    }));
  }

  async usage(tenant: string, kind: RecordKind): Promise<Usage> {
    const [row] = await this.#client().run<{ records: number; bytes: number }>(
      ...[SQL.usage, tenant, kind],
    );
    return row ?? { records: 0, bytes: 0 };
  }

  async putRecord(record: StoredRecord): Promise<void> {
    const { tenant, kind, name, version, epoch, wrappedKey, sealed, changedAt, declared } = record;
    const values = [version, epoch, wrappedKey, sealed, changedAt, declared];
    await this.#client().run(SQL.putRecord, tenant, kind, name, ...values);
  }

  async removeRecord({ tenant, kind, name }: RecordKey): Promise<void> {
    await this.#client().run(SQL.removeRecord, tenant, kind, name);
  }

  async recordsBelow(epoch: number, limit: number): Promise<readonly StoredRecord[]> {
    return (await this.#client().run<Row>(SQL.recordsBelow, epoch, limit)).map(recordOf);
  }

  async epochsInUse(): Promise<readonly number[]> {
    const rows = await this.#client().run<{ epoch: number }>(SQL.epochs);
    return rows.map(({ epoch }) => epoch);
  }

  async value(name: string): Promise<string | undefined> {
    const [row] = await this.#client().run<{ value: string }>(SQL.value, name);
    return row?.value;
  }

  async setValue(name: string, value: string): Promise<void> {
    await this.#client().run(SQL.setValue, name, value);
  }

  async lastEntry(): Promise<AuthenticatedEntry | undefined> {
    const [row] = await this.#client().run<AuthenticatedEntry & object>(SQL.lastEntry);
    return row;
  }

  async entries(from: number, limit: number): Promise<readonly AuthenticatedEntry[]> {
    return this.#client().run<AuthenticatedEntry & object>(SQL.entries, from, limit);
  }

  async appendEntry({ seq, body, hash, mac }: AuthenticatedEntry): Promise<void> {
    await this.#client().run(SQL.appendEntry, seq, body, hash, mac);
  }

  async lastCheckpoint(): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#client().run<StoredCheckpoint & object>(SQL.lastCheckpoint);
    return row;
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    return this.#client().run<StoredCheckpoint & object>(SQL.checkpoints);
  }

  async appendCheckpoint({ seq, text }: StoredCheckpoint): Promise<void> {
    await this.#client().run(SQL.appendCheckpoint, seq, text);
  }

  async session(place: string): Promise<StoredSession | undefined> {
    const [row] = await this.#client().run<SessionRow>(SQL.session, place);
    if (row === undefined) return undefined;
    const { expires_at: expiresAt, uses_left: left, ...rest } = row;
    return { ...rest, expiresAt, left };
  }

  async putSession(session: StoredSession): Promise<void> {
    const { place, tenant, client, launch, state, expiresAt, left, sealed } = session;
    const values = [tenant, client, launch, state, expiresAt, left, sealed];
    await this.#client().run(SQL.putSession, place, ...values);
  }

  async removeSession(place: string): Promise<void> {
    await this.#client().run(SQL.removeSession, place);
  }

  async sessionCounts(client: string): Promise<{ readonly all: number; readonly mine: number }> {
    type Counts = { readonly all: number; readonly mine: number };
    const [row] = await this.#client().run<Counts>(SQL.sessionCounts, client);
    return row ?? { all: 0, mine: 0 };
  }

  async evictSession(client: string | undefined): Promise<boolean> {
    return (await this.#client().run(SQL.evictSession, client ?? null)).length > 0;
  }

  async endOlderSessions(launch: string, keep: number): Promise<void> {
    await this.#client().run(SQL.endOlderSessions, launch, keep);
  }

  async expireSessions(now: number): Promise<void> {
    await this.#client().run(SQL.expireSessions, now);
  }

  async endSessions(tenant: string): Promise<number> {
    return (await this.#client().run(SQL.endSessions, tenant)).length;
  }

  async releaseEntry(session: string, path: string): Promise<number | undefined> {
    const [row] = await this.#client().run<{ seq: number }>(SQL.releaseEntry, session, path);
    return row?.seq;
  }

  async putRelease({ session, path, seq, expiresAt }: StoredRelease): Promise<void> {
    await this.#client().run(SQL.putRelease, session, path, seq, expiresAt);
  }

  async expireReleases(now: number): Promise<void> {
    await this.#client().run(SQL.expireReleases, now);
  }
}

const SQL = named({
  session: 'SELECT * FROM sessions WHERE place = $1',
  putSession: `INSERT INTO sessions
      (place, tenant, client, launch, state, expires_at, uses_left, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (place) DO UPDATE SET
      state = EXCLUDED.state, expires_at = EXCLUDED.expires_at,
      uses_left = EXCLUDED.uses_left, sealed = EXCLUDED.sealed`,
  removeSession: 'DELETE FROM sessions WHERE place = $1',
  sessionCounts:
    'SELECT COUNT(*) AS "all", COUNT(*) FILTER (WHERE client = $1) AS mine FROM sessions',
  evictSession: `DELETE FROM sessions WHERE place = (
      SELECT place FROM sessions
      WHERE state = 'challenged' AND ($1::text IS NULL OR client = $1::text)
      ORDER BY expires_at LIMIT 1
    ) RETURNING place`,
  endOlderSessions: `DELETE FROM sessions WHERE place IN (
      SELECT place FROM sessions WHERE launch = $1 AND state = 'attested'
      ORDER BY expires_at DESC OFFSET $2
    )`,
  expireSessions: 'DELETE FROM sessions WHERE expires_at <= $1',
  endSessions: 'DELETE FROM sessions WHERE tenant = $1 RETURNING place',
  releaseEntry: 'SELECT seq FROM releases WHERE session = $1 AND path = $2',
  putRelease: `INSERT INTO releases (session, path, seq, expires_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (session, path) DO UPDATE SET
      seq = EXCLUDED.seq, expires_at = EXCLUDED.expires_at`,
  expireReleases: 'DELETE FROM releases WHERE expires_at <= $1',
  record: 'SELECT * FROM records WHERE tenant = $1 AND kind = $2 AND name = $3',
  records: 'SELECT * FROM records WHERE tenant = $1 AND kind = $2 ORDER BY name',
  facts:
    'SELECT name, version, changed_at, declared FROM records WHERE tenant = $1 AND kind = $2 ORDER BY name',
  usage:
    'SELECT COUNT(*) AS records, COALESCE(SUM(LENGTH(sealed)), 0)::bigint AS bytes FROM records WHERE tenant = $1 AND kind = $2',
  putRecord: `INSERT INTO records
      (tenant, kind, name, version, epoch, wrapped_key, sealed, changed_at, declared)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (tenant, kind, name) DO UPDATE SET
      version = EXCLUDED.version, epoch = EXCLUDED.epoch, wrapped_key = EXCLUDED.wrapped_key,
      sealed = EXCLUDED.sealed, changed_at = EXCLUDED.changed_at, declared = EXCLUDED.declared`,
  removeRecord: 'DELETE FROM records WHERE tenant = $1 AND kind = $2 AND name = $3',
  recordsBelow: 'SELECT * FROM records WHERE epoch < $1 ORDER BY epoch LIMIT $2',
  epochs: 'SELECT DISTINCT epoch FROM records ORDER BY epoch',
  value: 'SELECT value FROM stored_values WHERE name = $1',
  setValue:
    'INSERT INTO stored_values (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value',
  lastEntry: 'SELECT seq, body, hash, mac FROM audit ORDER BY seq DESC LIMIT 1',
  entries: 'SELECT seq, body, hash, mac FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2',
  appendEntry: 'INSERT INTO audit (seq, body, hash, mac) VALUES ($1, $2, $3, $4)',
  lastCheckpoint: 'SELECT seq, text FROM checkpoints ORDER BY seq DESC LIMIT 1',
  checkpoints: 'SELECT seq, text FROM checkpoints ORDER BY seq',
  appendCheckpoint: 'INSERT INTO checkpoints (seq, text) VALUES ($1, $2)',
});

function named<Name extends string>(
  texts: Readonly<Record<Name, string>>,
): Readonly<Record<Name, Statement>> {
  const entries = Object.entries(texts).map(([name, text]) => [name, { name, text }]);
  return Object.fromEntries(entries) as Record<Name, Statement>;
}

function recordOf(row: Row): StoredRecord {
  const { wrapped_key: wrappedKey, changed_at: changedAt, ...rest } = row;
  return { ...rest, wrappedKey, changedAt };
}
