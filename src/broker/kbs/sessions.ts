/**
 * Sessions of guests, in memory alone: bounded in number, in time, and in what each may ask for.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { A3sError } from '../../errors.ts';
import type { Proof } from '../release/decide.ts';
import type { Tee } from '../release/evidence.ts';
import type { TeeKey } from './jwe.ts';
import type { HashAlgorithm } from './protocol.ts';

export interface SessionLimits {
  readonly sessions: number;
  readonly sessionsPerClient: number;
  /** How long a nonce is good. */
  readonly nonceMs: number;
  /** How long an attested session is good. */
  readonly sessionMs: number;
  /** How many resources an attested session may ask for. */
  readonly requests: number;
}

export const SESSION_LIMITS: SessionLimits = {
  sessions: 8192,
  sessionsPerClient: 128,
  nonceMs: 60_000,
  sessionMs: 300_000,
  requests: 256,
};

interface Common {
  /** Its name in the audit log; not the cookie. */
  readonly label: string;
  readonly tenant: string;
  readonly client: string;
  readonly tee: Tee;
}

export interface ChallengedSession extends Common {
  readonly nonce: string;
  readonly algorithm: HashAlgorithm;
}

export interface AttestedSession extends Common {
  readonly teeKey: TeeKey;
  readonly proof: Proof;
}

interface Held {
  readonly session: ChallengedSession | AttestedSession;
  readonly expiresAt: number;
  left: number;
}

export interface Opened {
  /** The cookie. */
  readonly id: string;
  readonly session: ChallengedSession;
}

export class Sessions {
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #held = new Map<string, Held>();
  readonly #ofClient = new Map<string, number>();
  #nextSweep = 0;

  constructor(limits: SessionLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#held.size;
  }

  /**
   * Where there are as many as may be, the oldest challenge that nobody answered ends: of the
   * client, where it has too many. Attested sessions give way to nobody.
   *
   * @throws A3sError `kbs-busy` where all are attested
   */
  challenge(request: Omit<ChallengedSession, 'nonce' | 'label'>): Opened {
    this.#sweep();
    const { sessions, sessionsPerClient, nonceMs } = this.#limits;
    const mine = this.#ofClient.get(request.client) ?? 0;
    const full = mine >= sessionsPerClient ? request.client : undefined;
    if (full !== undefined || this.#held.size >= sessions) this.#evict(full);
    const session = { ...request, nonce: randomBytes(32).toString('base64') };
    return this.#add({ session, expiresAt: this.#now() + nonceMs, left: 1 });
  }

  /**
   * The session of a cookie that was challenged; it ends with this call, so its nonce is used once,
   * whatever follows.
   */
  takeChallenged(id: string, tenant: string): ChallengedSession | undefined {
    const held = this.#find(id, tenant);
    if (held === undefined || !('nonce' in held.session)) return undefined;
    this.#remove(id);
    return held.session;
  }

  /** Goes on with a session that was taken, under a new cookie and the same label. */
  attest(session: AttestedSession): { readonly id: string } {
    const { requests, sessionMs } = this.#limits;
    return this.#add({ session, expiresAt: this.#now() + sessionMs, left: requests });
  }

  /** The attested session of a cookie; each call counts. */
  useAttested(id: string, tenant: string): AttestedSession | undefined {
    const held = this.#find(id, tenant);
    if (held === undefined || 'nonce' in held.session) return undefined;
    if (held.left === 0) {
      this.#remove(id);
      return undefined;
    }
    held.left -= 1;
    return held.session;
  }

  /** Ends all sessions of a tenant; returns how many. */
  end(tenant: string): number {
    const ids = [...this.#held].filter(([, { session }]) => session.tenant === tenant);
    for (const [id] of ids) this.#remove(id);
    return ids.length;
  }

  #find(id: string, tenant: string): Held | undefined {
    const held = this.#held.get(id);
    if (held === undefined || held.session.tenant !== tenant) return undefined;
    if (held.expiresAt > this.#now()) return held;
    this.#remove(id);
    return undefined;
  }

  #add<Session extends object>(held: {
    readonly session: Session & Pick<Common, 'client'> & Partial<Pick<Common, 'label'>>;
    readonly expiresAt: number;
    readonly left: number;
  }): { readonly id: string; readonly session: Session & Pick<Common, 'label'> } {
    const id = randomBytes(32).toString('base64url');
    const own = createHash('sha256').update(id).digest('hex').slice(0, 16);
    const session = { ...held.session, label: held.session.label ?? own };
    const { client } = held.session;
    this.#held.set(id, { ...held, session: session as unknown as Held['session'] });
    this.#ofClient.set(client, (this.#ofClient.get(client) ?? 0) + 1);
    return { id, session };
  }

  #remove(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    const { client } = held.session;
    const left = (this.#ofClient.get(client) ?? 1) - 1;
    if (left === 0) this.#ofClient.delete(client);
    else this.#ofClient.set(client, left);
  }

  #evict(client: string | undefined): void {
    for (const [id, { session }] of this.#held) {
      if (!('nonce' in session) || (client !== undefined && session.client !== client)) continue;
      this.#remove(id);
      return;
    }
    throw new A3sError('kbs-busy', 'There are as many sessions as there may be');
  }

  /** Expired sessions would count. At most once a second: it looks at all. */
  #sweep(): void {
    const now = this.#now();
    if (now < this.#nextSweep) return;
    this.#nextSweep = now + 1000;
    for (const [id, { expiresAt }] of this.#held) if (expiresAt <= now) this.#remove(id);
  }
}
