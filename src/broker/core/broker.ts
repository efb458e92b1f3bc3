/**
 * What the broker does, whoever asks and by whatever protocol: each change and each release is one
 * transaction, with its entry in the audit log.
 *
 * A guest over RA-TLS will ask {@link Broker.release} as one over KBS does.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditEvent } from '../audit/entry.ts';
import type { Counter, CounterStep } from '../record/counter.ts';
import {
  type Grant,
  parseGrant,
  parseReleasePolicy,
  type ReleasePolicy,
} from '../record/documents.ts';
import { matchesPattern } from '../record/resource-path.ts';
import { type Decision, decide, type Permissions, type Proof } from '../release/decide.ts';
import type { BrokerStore, RecordKey, StoreTransaction } from '../store/store.ts';
import type { OpenedRecord, Vault } from '../vault/vault.ts';
import { findCounter, putCounter, stepRefusal } from './counters.ts';
import { RefusalBudget } from './refusal-budget.ts';

/** Who a guest is, as far as the audit log tells. */
export interface GuestFacts {
  readonly tenant: string;
  /** Its address. */
  readonly client: string;
  /** Of its session, or what stands for one. */
  readonly session: string;
}

export type Release =
  | {
      readonly kind: 'released';
      readonly record: 'secret' | 'volume-key';
      readonly content: Buffer;
      readonly version: number;
    }
  | { readonly kind: 'denied' }
  | { readonly kind: 'missing' };

export type CounterAnswer =
  | { readonly kind: 'counter'; readonly counter: Counter }
  | { readonly kind: 'denied' }
  /** There is none yet. */
  | { readonly kind: 'missing' }
  /** The counter is elsewhere, or another volume's. */
  | { readonly kind: 'conflict' };

/** What a guest asks for, and what its refusal is called in the audit log. */
interface Asked {
  readonly path: string;
  readonly action: string;
  readonly counter?: boolean;
}

/** What work for a guest comes to where it was done. */
interface Answer {
  readonly kind: string;
  readonly refusal?: undefined;
}

/** Why work for a guest that is permitted it was not done. */
interface RefusedWork<Kind extends string> {
  readonly kind: Kind;
  readonly refusal: string;
  readonly check: string;
}

export interface BrokerParts {
  readonly store: BrokerStore;
  readonly vault: Vault;
  readonly audit: AuditLog;
  readonly now: () => Date;
}

/** Longer than any session. */
const RELEASE_MS = 3_600_000;

/** What guests get, and how the audit log calls that. */
const RELEASED = [
  ['secret', 'resource-released'],
  ['volume-key', 'volume-key-released'],
] as const;

export class Broker {
  readonly parts: BrokerParts;
  readonly #budget: RefusalBudget;

  constructor(parts: BrokerParts) {
    this.parts = parts;
    this.#budget = new RefusalBudget(() => parts.now().getTime());
  }

  /**
   * Whether there is anything for a guest of this proof. A guest that no policy accepts gets no
   * session.
   */
  async admit(guest: GuestFacts, proof: Proof): Promise<boolean> {
    const { store } = this.parts;
    const work = store.transaction(async (transaction) => {
      const decided = decide(proof, await this.#permissions(transaction, guest.tenant));
      if (decided.released) {
        const { grant, policy } = decided;
        const details = { ...factsOf(guest, proof), grant, policy };
        await this.#append(transaction, guest, { action: 'attestation-accepted', details });
      }
      return decided;
    });
    const decision = await this.#recordingBroken(guest, { action: 'attestation-refused' }, work);
    if (!decision.released) {
      const { check } = decision;
      await this.refuse(guest, { action: 'attestation-refused', refusal: 'kbs-evidence', check });
    }
    return decision.released;
  }

  /**
   * The policy that accepts a guest at this moment; undefined where none does any more. The audit
   * log has on disk that a result over this nonce was issued before this resolves.
   *
   * @param nonce hexadecimal
   */
  async vouch(
    guest: GuestFacts,
    proof: Proof,
    nonce: string,
  ): Promise<{ readonly id: string; readonly policy: ReleasePolicy } | undefined> {
    const action = 'result-refused';
    const work = this.parts.store.transaction(async (transaction) => {
      const permissions = await this.#permissions(transaction, guest.tenant);
      const decided = decide(proof, permissions);
      if (!decided.released) return { check: decided.check };
      const { grant, policy: name } = decided;
      const details = { ...factsOf(guest, proof), grant, policy: name, nonce };
      await this.#append(transaction, guest, { action: 'result-issued', details });
      return { name, policy: permissions.policy(name) };
    });
    const found = await this.#recordingBroken(guest, { action }, work);
    if (found.check !== undefined) {
      await this.refuse(guest, { action, refusal: 'kbs-denied', check: found.check });
      return undefined;
    }
    const { name, policy } = found;
    // The one that has just accepted the guest is neither.
    if (policy === undefined || policy === 'broken') throw new TypeError(`no policy ${name}`);
    return { id: `${guest.tenant}/${name}`, policy };
  }

  /**
   * A resource for a guest, by what is permitted at this moment. The audit log has the release on
   * disk before this resolves. A guest that asks again in its session, as after an answer that
   * broke off, gets the same release, which is in the log once.
   */
  async release(guest: GuestFacts, proof: Proof, path: string): Promise<Release> {
    type Released = Extract<Release, { kind: 'released' }>;
    const asked = { path, action: 'resource-refused' };
    return this.#ask<Released, 'missing'>(guest, proof, asked, async (transaction, decision) => {
      const { grant, policy } = decision;
      // A path has one of both at most.
      for (const [kind, action] of RELEASED) {
        const key = { tenant: guest.tenant, kind, name: path };
        const found = await this.parts.vault.get(transaction, key);
        if (found === undefined) continue;
        const { content, version, id: record } = found;
        const details = { ...factsOf(guest, proof), grant, policy, version, record };
        await this.#appendOnce(transaction, guest, { action, object: path, details });
        return { kind: 'released', record: kind, content, version };
      }
      return { kind: 'missing', refusal: 'kbs-no-resource', check: 'resource' };
    });
  }

  /** The counter of a volume, as it is at this moment; it changes nothing and is in no log. */
  async readCounter(guest: GuestFacts, proof: Proof, path: string): Promise<CounterAnswer> {
    const asked = { path, action: 'counter-refused', counter: true };
    type Found = Extract<CounterAnswer, { kind: 'counter' | 'missing' }>;
    return this.#ask<Found, never>(guest, proof, asked, async (transaction) => {
      const counter = await findCounter(this.parts.vault, transaction, guest.tenant, path);
      return counter === undefined ? { kind: 'missing' } : { kind: 'counter', counter };
    });
  }

  /**
   * Advances the counter of a volume by one, or begins it. The audit log has it on disk before this
   * resolves. A step from anywhere but where the counter is changes nothing.
   */
  async advanceCounter(
    guest: GuestFacts,
    proof: Proof,
    path: string,
    step: CounterStep,
  ): Promise<CounterAnswer> {
    const { vault, now } = this.parts;
    const asked = { path, action: 'counter-refused', counter: true };
    type Advanced = Extract<CounterAnswer, { kind: 'counter' }>;
    return this.#ask<Advanced, 'conflict'>(guest, proof, asked, async (transaction, decision) => {
      const { grant, policy } = decision;
      const before = await findCounter(vault, transaction, guest.tenant, path);
      const check = stepRefusal(before, step);
      if (check !== undefined) {
        return { kind: 'conflict', refusal: 'kbs-counter', check };
      }
      const counter = { volume: step.volume, generation: step.to };
      await putCounter(transaction, vault, { tenant: guest.tenant, path }, counter, now());
      const details = { ...factsOf(guest, proof), grant, policy, ...counter };
      await this.#append(transaction, guest, { action: 'counter-advanced', object: path, details });
      return { kind: 'counter', counter };
    });
  }

  /**
   * Does the work for a guest that is permitted it, in the transaction of the decision. A refusal
   * is recorded, of the decision or of the work.
   */
  async #ask<Done extends Answer, Kind extends string>(
    guest: GuestFacts,
    proof: Proof,
    { path, action, counter = false }: Asked,
    work: (
      transaction: StoreTransaction,
      decision: Extract<Decision, { released: true }>,
    ) => Promise<Done | RefusedWork<Kind>>,
  ): Promise<Done | { readonly kind: Kind | 'denied' }> {
    const asked = this.parts.store.transaction(
      async (transaction): Promise<Done | RefusedWork<Kind | 'denied'>> => {
        const permissions = await this.#permissions(transaction, guest.tenant, { path, counter });
        const decision = decide(proof, permissions, path);
        if (decision.released) return work(transaction, decision);
        return { kind: 'denied', refusal: 'kbs-denied', check: decision.check };
      },
    );
    const result = await this.#recordingBroken(guest, { action, object: path }, asked);
    if (result.refusal === undefined) return result;
    const { kind, refusal, check } = result;
    await this.refuse(guest, { action, object: path, refusal, check });
    return { kind };
  }

  /** A decision that a damaged record prevents is a refusal too. */
  #recordingBroken<T>(
    guest: GuestFacts,
    event: Pick<AuditEvent, 'action' | 'object'>,
    work: Promise<T>,
  ): Promise<T> {
    return work.catch(async (error: unknown) => {
      if (error instanceof A3sError && error.code === 'record-broken') {
        await this.refuse(guest, { ...event, check: error.code, refusal: 'internal' });
      }
      throw error;
    });
  }

  async refuse(
    { tenant, client, session }: GuestFacts,
    event: Pick<AuditEvent, 'action' | 'object' | 'refusal' | 'check'>,
  ): Promise<void> {
    const details = { session };
    await this.recordRefusal({ tenant, actor: `guest:${client}`, ...event, details });
  }

  /** Records a refusal. Of very many, only the number of the rest is recorded. */
  async recordRefusal(event: AuditEvent): Promise<void> {
    const { audit, store } = this.parts;
    const suppressed = this.#budget.take(event.actor);
    if (suppressed === undefined) return;
    const recorded = store.transaction(async (transaction) => {
      if (suppressed > 0) await this.#appendSuppressed(transaction, suppressed);
      await audit.append(transaction, event);
    });
    await this.#orRestore(recorded, suppressed + 1);
  }

  /** Records the refusals that were counted alone; before the end. */
  async flush(): Promise<void> {
    const suppressed = this.#budget.drain();
    if (suppressed === 0) return;
    const recorded = this.parts.store.transaction((transaction) =>
      this.#appendSuppressed(transaction, suppressed),
    );
    await this.#orRestore(recorded, suppressed);
  }

  /** What a failed transaction did not record is counted for the next one. */
  async #orRestore(recorded: Promise<void>, count: number): Promise<void> {
    await recorded.catch((error: unknown) => {
      this.#budget.restore(count);
      throw error;
    });
  }

  async #appendSuppressed(transaction: StoreTransaction, count: number): Promise<void> {
    await this.parts.audit.append(transaction, {
      actor: 'broker',
      action: 'refusals-not-recorded',
      details: { count },
    });
  }

  async #append(
    transaction: StoreTransaction,
    { tenant, client }: GuestFacts,
    event: Omit<AuditEvent, 'tenant' | 'actor'>,
  ): Promise<void> {
    await this.parts.audit.append(transaction, { tenant, actor: `guest:${client}`, ...event });
  }

  /**
   * Appends a release, unless the log has the same one of this session: of the same record, to the
   * same key of the guest, by the same grant. The store names the entry, and the entry decides: who
   * writes the store can keep no release out of the log.
   */
  async #appendOnce(
    transaction: StoreTransaction,
    { tenant, client, session }: GuestFacts,
    event: Omit<AuditEvent, 'tenant' | 'actor'> & { readonly object: string },
  ): Promise<void> {
    const { audit, now } = this.parts;
    const { object: path } = event;
    const whole = { tenant, actor: `guest:${client}`, ...event };
    const known = await transaction.releaseEntry(session, path);
    if (known !== undefined && (await audit.has(transaction, known, whole))) return;
    const seq = await audit.append(transaction, whole);
    const time = now().getTime();
    await transaction.expireReleases(time);
    await transaction.putRelease({ session, path, seq, expiresAt: time + RELEASE_MS });
  }

  /** One that is damaged accepts nobody, and decides nothing of the others. */
  async #policy(
    transaction: StoreTransaction,
    key: RecordKey,
  ): Promise<ReleasePolicy | 'broken' | undefined> {
    try {
      const found = await this.parts.vault.get(transaction, key);
      return found === undefined ? undefined : policyOf(found.content);
    } catch (error) {
      if (error instanceof A3sError && error.code === 'record-broken') return 'broken';
      throw error;
    }
  }

  /** Of the policies, those alone that decide about what is asked for: they can be long. */
  async #permissions(
    transaction: StoreTransaction,
    tenant: string,
    asked?: { readonly path: string; readonly counter: boolean },
  ): Promise<Permissions> {
    const { vault } = this.parts;
    const decides = ({ path, counter }: Grant) =>
      asked === undefined || (counter === asked.counter && matchesPattern(path, asked.path));
    const grants = (await vault.all(transaction, tenant, 'grant'))
      .map(({ name, content }) => [name, parseGrant(documentOf(content))] as const)
      .filter(([, grant]) => decides(grant));
    const policies = new Map<string, ReleasePolicy | 'broken'>();
    for (const name of new Set(grants.map(([, { policy }]) => policy))) {
      const policy = await this.#policy(transaction, { tenant, kind: 'policy', name });
      if (policy !== undefined) policies.set(name, policy);
    }
    const revoked = new Set((await vault.list(transaction, tenant, 'revocation')).map(nameOf));
    return {
      grants: new Map(grants),
      policy: (name) => policies.get(name),
      isRevoked: (kind, name) => revoked.has(`${kind}:${name}`),
    };
  }
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

/** What this broker wrote. */
function documentOf(content: OpenedRecord['content']): unknown {
  return JSON.parse(content.toString());
}

/** Policies that were read last, by their text: each is read for every request of every guest. */
const policies = new Map<string, ReleasePolicy>();
const MAX_POLICIES = 64;

function policyOf(content: OpenedRecord['content']): ReleasePolicy {
  const text = content.toString();
  const found = policies.get(text);
  if (found !== undefined) return found;
  const made = parseReleasePolicy(JSON.parse(text));
  if (policies.size === MAX_POLICIES) policies.clear();
  policies.set(text, made);
  return made;
}

function factsOf({ session }: GuestFacts, { evidence }: Proof): Record<string, string> {
  const { measurement, hostData, chipId, reportId } = evidence.report.claims;
  return { session, tee: evidence.tee, measurement, hostData, chipId, reportId };
}
