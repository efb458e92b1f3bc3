/**
 * Writes the audit log, in the transaction of what it tells of.
 *
 * @module
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import { A3sError } from '../../errors.ts';
import type { BrokerStore, StoreTransaction } from '../store/store.ts';
import { type Checkpoint, makeCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { type AuditEvent, genesis, hashOf, isOf, nextEntry } from './entry.ts';
import { EntryAuthenticator } from './entry-mac.ts';
import { readLogHead, writeLogHead } from './log-head.ts';
import { type LogProblem, LogVerifier } from './verify-log.ts';

const LOG_ID = 'audit-log';
const PAGE = 1000;

export interface AuditLogOptions {
  /** Ed25519, private. */
  readonly key: KeyObject;
  /** After how many entries a checkpoint is signed. */
  readonly checkpointEntries: number;
  readonly now: () => Date;
  /** The file outside of the store that has the last checkpoint's number and hash. */
  readonly head: string;
  /** Called if that file cannot be written; the next checkpoint tries again. */
  readonly onError: (error: unknown) => void;
}

export class AuditLog {
  readonly #id: string;
  readonly #store: BrokerStore;
  readonly #options: AuditLogOptions;
  readonly #authenticator: EntryAuthenticator;

  #saving: Promise<void> = Promise.resolve();
  /** The last checkpoint that this broker knows to be on the disk. */
  #head: Pick<Checkpoint, 'seq' | 'hash'> | undefined;

  private constructor(store: BrokerStore, id: string, options: AuditLogOptions) {
    this.#store = store;
    this.#id = id;
    this.#options = options;
    this.#authenticator = new EntryAuthenticator(options.key, id);
  }

  /**
   * Opens the log of a store, and begins it where there is none.
   *
   * @throws A3sError `audit-broken` if an entry since the last checkpoint, or the checkpoint
   * itself, is not what this broker wrote, or if the log ends before the last checkpoint that the
   * head file names. `broker audit verify` checks what is before that.
   */
  static async open(store: BrokerStore, options: AuditLogOptions): Promise<AuditLog> {
    const id = await store.transaction(async (transaction) => {
      const found = await transaction.value(LOG_ID);
      if (found !== undefined) return found;
      const made = randomBytes(16).toString('hex');
      await transaction.setValue(LOG_ID, made);
      return made;
    });
    const { key } = options;
    const end = await store.transaction((transaction) => problemOfEnd(transaction, id, key));
    requireWhole(end, 'open');
    const cutOff = await verifyHead(store, id, options.head);
    const log = new AuditLog(store, id, options);
    log.#head = await store.transaction(lastSigned);
    if (cutOff === 'unknown') {
      const event = { actor: 'broker', action: 'audit-head-missing' };
      await store.transaction(async (transaction) => {
        await log.append(transaction, event);
        await log.checkpoint(transaction);
      });
    }
    return log;
  }

  /**
   * Part of the transaction: the entry is there exactly if what it tells of is. Returns its number.
   */
  async append(transaction: StoreTransaction, event: AuditEvent): Promise<number> {
    const last = await transaction.lastEntry();
    const entry = nextEntry(this.#id, last, event, this.#options.now());
    await transaction.appendEntry({ ...entry, mac: this.#authenticator.mac(entry) });
    if (entry.seq % this.#options.checkpointEntries === 0) await this.#sign(transaction);
    return entry.seq;
  }

  /** Whether a broker of this log wrote an entry of this number, for exactly this event. */
  async has(transaction: StoreTransaction, seq: number, event: AuditEvent): Promise<boolean> {
    const [entry] = await transaction.entries(seq, 1);
    if (entry?.seq !== seq || hashOf(entry.body) !== entry.hash) return false;
    return this.#authenticator.wrote(entry) && isOf(entry, event);
  }

  /** A signed checkpoint of all entries; undefined where there are none. */
  async checkpoint(transaction: StoreTransaction): Promise<Checkpoint | undefined> {
    const last = await transaction.lastEntry();
    if (last === undefined) return undefined;
    const before = await transaction.lastCheckpoint();
    if (before?.seq === last.seq) return parseCheckpoint(before.text);
    return this.#sign(transaction);
  }

  /** Signs the end of the log, and waits until the head file names it. Before the store closes. */
  async close(): Promise<void> {
    await this.#store.transaction((transaction) => this.checkpoint(transaction));
    this.#saveHead();
    await this.saved();
  }

  /** Resolves once the head file names the checkpoints that were signed. */
  async saved(): Promise<void> {
    await this.#saving;
  }

  /**
   * Reads the last checkpoint in a later transaction, which sees only what was committed: the head
   * file never names an entry that the store may lose.
   */
  #saveHead(): void {
    const { head, onError } = this.#options;
    const committed = this.#store.transaction(async (transaction) => {
      requireWhole(await this.#behindHead(transaction), 'save the head of');
      return lastSigned(transaction);
    });
    this.#saving = Promise.all([committed, this.#saving])
      .then(async ([checkpoint]) => {
        if (checkpoint === undefined) return;
        this.#head = checkpoint;
        await writeLogHead(head, checkpoint);
      })
      .catch(onError);
  }

  /**
   * Others may write to a database while brokers have it. What is signed would be good for ever, so
   * it is verified before, as at the start.
   */
  async #sign(transaction: StoreTransaction): Promise<Checkpoint | undefined> {
    const last = await transaction.lastEntry();
    if (last === undefined) return undefined;
    const { key, now } = this.#options;
    requireWhole(await problemOfEnd(transaction, this.#id, key), 'sign');
    requireWhole(await this.#behindHead(transaction), 'sign');
    const statement = { log: this.#id, seq: last.seq, hash: last.hash, time: now().toISOString() };
    const checkpoint = makeCheckpoint(statement, key);
    await transaction.appendCheckpoint({ seq: last.seq, text: JSON.stringify(checkpoint) });
    this.#saveHead();
    return checkpoint;
  }

  /** A log whose end was cut off has another entry in the place of one that was signed, or none. */
  async #behindHead(transaction: StoreTransaction): Promise<LogProblem | undefined> {
    const head = this.#head;
    if (head === undefined) return undefined;
    const [entry] = await transaction.entries(head.seq, 1);
    if (entry?.seq === head.seq && entry.hash === head.hash) return undefined;
    return { seq: head.seq, reason: 'it is not the one that was signed' };
  }
}

async function lastSigned(transaction: StoreTransaction): Promise<Checkpoint | undefined> {
  const stored = await transaction.lastCheckpoint();
  return stored === undefined ? undefined : parseCheckpoint(stored.text);
}

/**
 * Entries and checkpoints as they are exported, one JSON document a line. The end of the export is
 * decided first: entries and checkpoints that are added meanwhile are not part of it.
 */
export async function* exportLog(store: BrokerStore): AsyncGenerator<string> {
  const { end, checkpoints } = await store.transaction(async (transaction) => ({
    end: (await transaction.lastEntry())?.seq ?? 0,
    checkpoints: await transaction.checkpoints(),
  }));
  for (let from = 1; from <= end; from += PAGE) {
    const start = from;
    const limit = Math.min(PAGE, end - from + 1);
    const page = await store.transaction((transaction) => transaction.entries(start, limit));
    for (const { seq, body, hash } of page) yield `${JSON.stringify({ seq, body, hash })}\n`;
  }
  for (const { text } of checkpoints) yield `${text}\n`;
}

/**
 * Verifies the last checkpoint and what follows it. The signature authenticates the checkpoint, and
 * an authentication code each later entry: the chain of hashes alone has no key.
 */
async function problemOfEnd(
  transaction: StoreTransaction,
  id: string,
  key: KeyObject,
): Promise<LogProblem | undefined> {
  const last = await transaction.lastEntry();
  const stored = await transaction.lastCheckpoint();
  const checkpoint = stored === undefined ? undefined : parseCheckpoint(stored.text);
  if (stored !== undefined && checkpoint?.seq !== stored.seq) {
    return { seq: stored.seq, reason: 'its checkpoint is damaged' };
  }
  const known = checkpoint === undefined ? [] : [checkpoint];
  const from = checkpoint?.seq ?? 1;
  const before = from > 1 ? (await transaction.entries(from - 1, 1))[0] : undefined;
  const previous = before === undefined ? genesis(id) : before.hash;
  const verifier = LogVerifier.after(known, key, { log: id, seq: from - 1, hash: previous });
  const authenticator = new EntryAuthenticator(key, id);
  let forged: LogProblem | undefined;
  for (let next = from; next <= (last?.seq ?? 0); next += PAGE) {
    for (const entry of await transaction.entries(next, PAGE)) {
      verifier.add(entry);
      if (entry.seq > (checkpoint?.seq ?? 0) && !authenticator.wrote(entry)) {
        forged ??= { seq: entry.seq, reason: 'its authentication code is not of this key' };
      }
    }
  }
  return verifier.end().problem ?? forged;
}

/** @throws A3sError `audit-broken` */
function requireWhole(problem: LogProblem | undefined, act: string): void {
  if (problem === undefined) return;
  const { seq, reason } = problem;
  throw new A3sError(
    'audit-broken',
    `Cannot ${act} the audit log: entry ${seq} is bad: ${reason}`,
    {
      remedy: 'Keep the store as it is, export the log with a copy, and find out who changed it.',
    },
  );
}

/** @returns `unknown` if the log has a checkpoint, and no file says which was the last one */
async function verifyHead(
  store: BrokerStore,
  id: string,
  path: string,
): Promise<'verified' | 'unknown'> {
  const head = await readLogHead(path);
  const { last, signed, entry } = await store.transaction(async (transaction) => ({
    last: (await transaction.lastEntry())?.seq ?? 0,
    signed: (await transaction.lastCheckpoint())?.seq ?? 0,
    entry: head === undefined ? undefined : (await transaction.entries(head.seq, 1))[0],
  }));
  if (head === undefined) return signed === 0 ? 'verified' : 'unknown';
  if (head.log === id && entry?.hash === head.hash && signed >= head.seq) return 'verified';
  const reason =
    last < head.seq
      ? `it ends after entry ${last}, and ${path} names entry ${head.seq}`
      : `its entry or checkpoint ${head.seq} is not the one that ${path} names`;
  throw new A3sError('audit-broken', `Cannot open the audit log: ${reason}`, {
    remedy:
      'Put the newest store back. If an older one was put back on purpose, move that file away: ' +
      'the broker starts then, and its audit log says that the file was missing.',
  });
}
