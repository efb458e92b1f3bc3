/**
 * What the broker keeps, whatever database holds it.
 *
 * @module
 */

export type RecordKind =
  | 'secret'
  | 'volume-key'
  | 'policy'
  | 'grant'
  | 'revocation'
  | 'session-key'
  | 'counter';

export interface RecordKey {
  readonly tenant: string;
  readonly kind: RecordKind;
  readonly name: string;
}

/** A record; its content is encrypted, and its key is too. */
export interface StoredRecord extends RecordKey {
  /** Counts up from 1 with each change of the record, for as long as it exists. */
  readonly version: number;
  /** The epoch of the root key that wrapped its data key. */
  readonly epoch: number;
  readonly wrappedKey: Uint8Array;
  readonly sealed: Uint8Array;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
  /** The configuration declares it: no command changes it. */
  readonly declared: boolean;
}

/** What is in clear of a record, without what is encrypted. */
export type StoredFacts = Pick<StoredRecord, 'name' | 'version' | 'changedAt' | 'declared'>;

/** How much there is of one kind. */
export interface Usage {
  readonly records: number;
  /** Encrypted. */
  readonly bytes: number;
}

/** An entry of the audit log. */
export interface StoredEntry {
  /** From 1, without gaps. */
  readonly seq: number;
  /** Canonical JSON. */
  readonly body: string;
  /** Hexadecimal. */
  readonly hash: string;
}

/** An entry as the store has it; exports leave the authentication code out. */
export interface AuthenticatedEntry extends StoredEntry {
  /** Hexadecimal; empty for entries of older stores. */
  readonly mac: string;
}

/** A signed statement of how far the audit log is. */
export interface StoredCheckpoint {
  readonly seq: number;
  /** JSON. */
  readonly text: string;
}

/** A session of a guest, where brokers share them. */
export interface StoredSession {
  /** Hexadecimal: SHA-256 of the cookie. */
  readonly place: string;
  readonly tenant: string;
  readonly client: string;
  /** Of the guest that attested; empty for a challenge. */
  readonly launch: string;
  readonly state: 'challenged' | 'attested';
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** How often it may still be used. */
  readonly left: number;
  readonly sealed: Uint8Array;
}

/** Which entry of the audit log has a release of a resource to a session. */
export interface StoredRelease {
  readonly session: string;
  readonly path: string;
  readonly seq: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** All within one transaction. */
export interface StoreTransaction {
  record(key: RecordKey): Promise<StoredRecord | undefined>;
  /** Of a tenant, by name. */
  records(tenant: string, kind: RecordKind): Promise<readonly StoredRecord[]>;
  /** Of a tenant, by name; reads nothing that is encrypted. */
  facts(tenant: string, kind: RecordKind): Promise<readonly StoredFacts[]>;
  usage(tenant: string, kind: RecordKind): Promise<Usage>;
  putRecord(record: StoredRecord): Promise<void>;
  removeRecord(key: RecordKey): Promise<void>;
  /** Some of those that an epoch below this one wrapped. */
  recordsBelow(epoch: number, limit: number): Promise<readonly StoredRecord[]>;
  /** The epochs that wrapped any record. */
  epochsInUse(): Promise<readonly number[]>;
  value(name: string): Promise<string | undefined>;
  setValue(name: string, value: string): Promise<void>;
  lastEntry(): Promise<AuthenticatedEntry | undefined>;
  /** From this number on, ascending. */
  entries(from: number, limit: number): Promise<readonly AuthenticatedEntry[]>;
  appendEntry(entry: AuthenticatedEntry): Promise<void>;
  lastCheckpoint(): Promise<StoredCheckpoint | undefined>;
  checkpoints(): Promise<readonly StoredCheckpoint[]>;
  appendCheckpoint(checkpoint: StoredCheckpoint): Promise<void>;
  session(place: string): Promise<StoredSession | undefined>;
  putSession(session: StoredSession): Promise<void>;
  removeSession(place: string): Promise<void>;
  /** How many there are, and how many of one client. */
  sessionCounts(client: string): Promise<{ readonly all: number; readonly mine: number }>;
  /** Removes the oldest challenge, of a client or of all; false where there is none. */
  evictSession(client: string | undefined): Promise<boolean>;
  /** Removes the oldest of a launched guest, all but so many. */
  endOlderSessions(launch: string, keep: number): Promise<void>;
  /** Removes those that end at this time or before. */
  expireSessions(now: number): Promise<void>;
  /** Removes those of a tenant; returns how many. */
  endSessions(tenant: string): Promise<number>;
  /** The number of the entry. */
  releaseEntry(session: string, path: string): Promise<number | undefined>;
  /** Replaces what there is for the same session and path. */
  putRelease(release: StoredRelease): Promise<void>;
  /** Removes those that end at this time or before. */
  expireReleases(now: number): Promise<void>;
}

export interface BrokerStore {
  /**
   * All of the work or nothing of it. It is on the disk when this resolves; what `work` throws
   * undoes it.
   */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T>;
  /** Waits for the transactions that were asked for. */
  close(): Promise<void>;
}
