/**
 * Sessions of guests in memory, of a broker that has its store for itself.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { A3sError } from '../../errors.ts';
import type {
  AttestedSession,
  ChallengedSession,
  Opened,
  SessionLimits,
  Sessions,
} from './sessions.ts';

type Common = Pick<ChallengedSession, 'label' | 'client'>;

interface Held {
  readonly session: ChallengedSession | AttestedSession;
  readonly expiresAt: number;
  left: number;
}

export class MemorySessions implements Sessions {
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #held = new Map<string, Held>();
  readonly #ofClient = new Map<string, number>();
  #nextSweep = 0;

  constructor(limits: SessionLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  async size(): Promise<number> {
    return this.#held.size;
  }

  async challenge(request: Omit<ChallengedSession, 'nonce' | 'label'>): Promise<Opened> {
    this.#sweep();
    const { sessions, sessionsPerClient, nonceMs } = this.#limits;
    const mine = this.#ofClient.get(request.client) ?? 0;
    const full = mine >= sessionsPerClient ? request.client : undefined;
    if (full !== undefined || this.#held.size >= sessions) this.#evict(full);
    const session = { ...request, nonce: randomBytes(32).toString('base64') };
    return this.#add({ session, expiresAt: this.#now() + nonceMs, left: 1 });
  }

  async takeChallenged(id: string, tenant: string): Promise<ChallengedSession | undefined> {
    const held = this.#find(id, tenant);
    if (held === undefined || !('nonce' in held.session)) return undefined;
    this.#remove(id);
    return held.session;
  }

  async attest(session: AttestedSession): Promise<{ readonly id: string }> {
    const { requests, sessionMs, sessionsPerLaunch } = this.#limits;
    const older = [...this.#held].filter(
      ([, held]) => 'launch' in held.session && held.session.launch === session.launch,
    );
    // The oldest comes first.
    for (const [id] of older.slice(0, Math.max(0, older.length + 1 - sessionsPerLaunch))) {
      this.#remove(id);
    }
    return this.#add({ session, expiresAt: this.#now() + sessionMs, left: requests });
  }

  async useAttested(id: string, tenant: string): Promise<AttestedSession | undefined> {
    const held = this.#find(id, tenant);
    if (held === undefined || 'nonce' in held.session) return undefined;
    if (held.left === 0) {
      this.#remove(id);
      return undefined;
    }
    held.left -= 1;
    return held.session;
  }

  async endOne(id: string, tenant: string): Promise<void> {
    if (this.#find(id, tenant) !== undefined) this.#remove(id);
  }

  async end(tenant: string): Promise<number> {
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
