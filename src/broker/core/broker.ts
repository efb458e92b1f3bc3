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
import { parseGrant, parseReleasePolicy, type ReleasePolicy } from '../record/documents.ts';
import { matchesPattern } from '../record/resource-path.ts';
import { type Decision, decide, type Permissions, type Proof } from '../release/decide.ts';
import type { BrokerStore, RecordKey, StoreTransaction } from '../store/store.ts';
import type { OpenedRecord, Vault } from '../vault/vault.ts';
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
  | { readonly kind: 'released'; readonly content: Buffer; readonly version: number }
  | { readonly kind: 'denied' }
  | { readonly kind: 'missing' };

export interface BrokerParts {
  readonly store: BrokerStore;
  readonly vault: Vault;
  readonly audit: AuditLog;
  readonly now: () => Date;
}

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
   * A resource for a guest, by what is permitted at this moment. The audit log has the release on
   * disk before this resolves.
   */
  async release(guest: GuestFacts, proof: Proof, path: string): Promise<Release> {
    const work = this.#decide(guest, proof, path);
    const event = { action: 'resource-refused', object: path };
    const result = await this.#recordingBroken(guest, event, work);
    if (result.kind === 'released') return result;
    const { kind, refusal, check } = result;
    await this.refuse(guest, { action: 'resource-refused', object: path, refusal, check });
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

  #decide(guest: GuestFacts, proof: Proof, path: string) {
    const { store, vault } = this.parts;
    return store.transaction(async (transaction) => {
      const permissions = await this.#permissions(transaction, guest.tenant, path);
      const decision: Decision = decide(proof, permissions, path);
      if (!decision.released)
        return { kind: 'denied', refusal: 'kbs-denied', check: decision.check } as const;
      const key = { tenant: guest.tenant, kind: 'secret', name: path } as const;
      const found = await vault.get(transaction, key);
      if (found === undefined) {
        return { kind: 'missing', refusal: 'kbs-no-resource', check: 'resource' } as const;
      }
      const { content, version } = found;
      const { grant, policy } = decision;
      const details = { ...factsOf(guest, proof), grant, policy, version };
      const event = { action: 'resource-released', object: path, details };
      await this.#append(transaction, guest, event);
      return { kind: 'released', content, version } as const;
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

  /** One that is damaged accepts nobody, and decides nothing of the others. */
  async #policy(
    transaction: StoreTransaction,
    key: RecordKey,
  ): Promise<ReleasePolicy | 'broken' | undefined> {
    try {
      const found = await this.parts.vault.get(transaction, key);
      return found === undefined ? undefined : parseReleasePolicy(documentOf(found.content));
    } catch (error) {
      if (error instanceof A3sError && error.code === 'record-broken') return 'broken';
      throw error;
    }
  }

  /** Of the policies, those alone that decide about the path: they can be long. */
  async #permissions(
    transaction: StoreTransaction,
    tenant: string,
    path?: string,
  ): Promise<Permissions> {
    const { vault } = this.parts;
    const grants = (await vault.all(transaction, tenant, 'grant'))
      .map(({ name, content }) => [name, parseGrant(documentOf(content))] as const)
      .filter(([, grant]) => path === undefined || matchesPattern(grant.path, path));
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

function factsOf({ session }: GuestFacts, { evidence }: Proof): Record<string, string> {
  const { measurement, hostData, chipId, reportId } = evidence.report.claims;
  return { session, tee: evidence.tee, measurement, hostData, chipId, reportId };
}
