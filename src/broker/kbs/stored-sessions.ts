/**
 * Sessions of guests in the store, for brokers that share one: a guest goes on with another broker
 * where its own has died.
 *
 * The store has no verdict: a broker that takes a session over verifies the evidence itself.
 * To read the store gives no cookie, and to write it makes no session.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Evidence } from '@a3s-box/attestation';
import { A3sError } from '../../errors.ts';
import { contextOf, decrypt, encrypt, KEY_BYTES } from '../keys/aead.ts';
import type { Tee, VerifiedEvidence } from '../release/evidence.ts';
import type { BrokerStore, StoredSession, StoreTransaction } from '../store/store.ts';
import type { Vault } from '../vault/vault.ts';
import type {
  AttestedSession,
  ChallengedSession,
  Opened,
  SessionLimits,
  Sessions,
} from './sessions.ts';

const KEY = { tenant: '', kind: 'session-key', name: 'sessions' } as const;
const DOMAIN = 'a3s-box/broker-session/v1';
/** Evidence that this process has verified is kept for as many sessions. */
const MAX_VERIFIED = 1024;

/** @throws AttestationError */
type Verify = (tee: Tee, evidence: Evidence) => Promise<VerifiedEvidence>;

export interface StoredSessionsOptions {
  readonly store: BrokerStore;
  readonly vault: Vault;
  readonly limits: SessionLimits;
  readonly now: () => Date;
  readonly verify: Verify;
}

export class StoredSessions implements Sessions {
  readonly #options: StoredSessionsOptions;
  readonly #key: Uint8Array;
  /** By the place of the session; the oldest first. */
  readonly #verified = new Map<string, VerifiedEvidence>();

  private constructor(options: StoredSessionsOptions, key: Uint8Array) {
    this.#options = options;
    this.#key = key;
  }

  /** The key of sessions is a record of the store; the first broker makes it. */
  static async open(options: StoredSessionsOptions): Promise<StoredSessions> {
    const { store, vault, now } = options;
    const key = await store.transaction(async (transaction) => {
      const found = await vault.get(transaction, KEY);
      if (found !== undefined) return found.content;
      const made = randomBytes(KEY_BYTES);
      await vault.put(transaction, KEY, made, { changedAt: now().getTime() });
      return made;
    });
    return new StoredSessions(options, key);
  }

  async size(): Promise<number> {
    const { all } = await this.#transaction((transaction) => transaction.sessionCounts(''));
    return all;
  }

  async challenge(request: Omit<ChallengedSession, 'nonce' | 'label'>): Promise<Opened> {
    const { limits } = this.#options;
    const { id, place, label } = named();
    const session = { ...request, label, nonce: randomBytes(32).toString('base64') };
    const { tenant, client, ...content } = session;
    const expiresAt = this.#time() + limits.nonceMs;
    const origin = { place, tenant, client, launch: '' };
    const row = { ...origin, state: 'challenged', expiresAt, left: 1 } as const;
    await this.#transaction(async (transaction) => {
      await transaction.expireSessions(this.#time());
      const { all, mine } = await transaction.sessionCounts(client);
      const full = mine >= limits.sessionsPerClient ? client : undefined;
      if (full !== undefined || all >= limits.sessions) {
        if (!(await transaction.evictSession(full))) {
          throw new A3sError('kbs-busy', 'There are as many sessions as there may be');
        }
      }
      await transaction.putSession(this.#seal(row, content));
    });
    return { id, session };
  }

  async takeChallenged(id: string, tenant: string): Promise<ChallengedSession | undefined> {
    return this.#transaction(async (transaction) => {
      const row = await this.#find(transaction, id, tenant, 'challenged');
      if (row === undefined) return undefined;
      await transaction.removeSession(row.place);
      const content = this.#open(row);
      const { client } = row;
      return content && ({ ...content, tenant, client } as unknown as ChallengedSession);
    });
  }

  async attest(session: AttestedSession): Promise<{ readonly id: string }> {
    const { limits } = this.#options;
    const { id, place } = named();
    const { tenant, client, launch, label, tee, teeKey, evidence, proof } = session;
    const reportData = base64(proof.reportData);
    const [state, left] = ['attested', limits.requests] as const;
    const expiresAt = this.#time() + limits.sessionMs;
    const row = { place, tenant, client, launch, state, expiresAt, left };
    const content = { label, tee, teeKey, evidence: textOf(evidence), reportData };
    const sealed = this.#seal(row, content);
    await this.#transaction(async (transaction) => {
      await transaction.endOlderSessions(launch, limits.sessionsPerLaunch - 1);
      await transaction.putSession(sealed);
    });
    this.#remember(place, proof.evidence);
    return { id };
  }

  async useAttested(id: string, tenant: string): Promise<AttestedSession | undefined> {
    const row = await this.#transaction(async (transaction) => {
      const found = await this.#find(transaction, id, tenant, 'attested');
      if (found === undefined) return undefined;
      if (found.left > 0) await transaction.putSession({ ...found, left: found.left - 1 });
      else await transaction.removeSession(found.place);
      return found.left > 0 ? found : undefined;
    });
    const content = row && this.#open(row);
    if (row === undefined || content === undefined) return undefined;
    const { label, tee, teeKey, ...kept } = content as unknown as Content;
    const evidence = evidenceOf(kept.evidence);
    const known = this.#verified.get(row.place);
    const verified = known ?? (await this.#options.verify(tee, evidence));
    this.#remember(row.place, verified);
    const proof = { evidence: verified, reportData: Buffer.from(kept.reportData, 'base64') };
    const { client, launch } = row;
    return { label, tee, teeKey, tenant, client, launch, evidence, proof };
  }

  endOne(id: string, tenant: string): Promise<void> {
    return this.#transaction(async (transaction) => {
      const row = await transaction.session(placeOf(id));
      if (row?.tenant === tenant) await transaction.removeSession(row.place);
    });
  }

  end(tenant: string): Promise<number> {
    return this.#transaction((transaction) => transaction.endSessions(tenant));
  }

  #transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#options.store.transaction(work);
  }

  /** Of all brokers of the store: their clocks have to agree. */
  #time(): number {
    return this.#options.now().getTime();
  }

  async #find(
    transaction: StoreTransaction,
    id: string,
    tenant: string,
    state: StoredSession['state'],
  ): Promise<StoredSession | undefined> {
    const row = await transaction.session(placeOf(id));
    if (row === undefined || row.tenant !== tenant || row.state !== state) return undefined;
    return row.expiresAt > this.#time() ? row : undefined;
  }

  #seal(row: Omit<StoredSession, 'sealed'>, content: object): StoredSession {
    const text = Buffer.from(JSON.stringify(content));
    return { ...row, sealed: encrypt(this.#key, text, contextOfRow(row)) };
  }

  /** Undefined for one that no broker of this store made. */
  #open(row: StoredSession): Readonly<Record<string, unknown>> | undefined {
    const text = decrypt(this.#key, row.sealed, contextOfRow(row));
    return text === undefined ? undefined : JSON.parse(text.toString());
  }

  #remember(place: string, evidence: VerifiedEvidence): void {
    this.#verified.set(place, evidence);
    const [oldest] = this.#verified.keys();
    if (this.#verified.size > MAX_VERIFIED && oldest !== undefined) this.#verified.delete(oldest);
  }
}

type Content = Pick<AttestedSession, 'label' | 'tee' | 'teeKey'> & {
  readonly reportData: string;
  readonly evidence: EvidenceText;
};

/** In base64. */
interface EvidenceText {
  readonly report: string;
  readonly vek?: string | undefined;
  readonly authorities?: readonly string[] | undefined;
}

function textOf({ report, vek, authorities }: Evidence): EvidenceText {
  return {
    report: base64(report),
    vek: vek && base64(vek),
    authorities: authorities?.map(base64),
  };
}

function evidenceOf({ report, vek, authorities }: EvidenceText): Evidence {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
  return {
    report: bytes(report),
    vek: vek === undefined ? undefined : bytes(vek),
    authorities: authorities?.map(bytes),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** A cookie, where its session is in the store, and its name in the audit log. */
function named(): { readonly id: string; readonly place: string; readonly label: string } {
  const id = randomBytes(32).toString('base64url');
  const place = placeOf(id);
  return { id, place, label: place.slice(0, 16) };
}

function placeOf(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}

/** All but how often it may still be used, and which sessions it counts with. */
function contextOfRow(row: Omit<StoredSession, 'sealed' | 'left' | 'launch'>): Buffer {
  const { place, tenant, client, state, expiresAt } = row;
  return contextOf(DOMAIN, place, tenant, client, state, expiresAt);
}
