/**
 * What administrators do. Each change is one transaction with its entry in the audit log. No call
 * returns the content of a secret.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { A3sError } from '../../errors.ts';
import type { AuditEntry } from '../audit/entry.ts';
import { parseEntry } from '../audit/entry.ts';
import { type Counter, parseCounter } from '../record/counter.ts';
import { parseGrant, parseReleasePolicy } from '../record/documents.ts';
import { recordName, resourcePath } from '../record/resource-path.ts';
import { QUOTAS, type Quotas } from '../record/tenant-quotas.ts';
import type { RecordKind, StoreTransaction } from '../store/store.ts';
import type { RecordFacts } from '../vault/vault.ts';
import type { BrokerParts } from './broker.ts';
import { withinQuota } from './quotas.ts';

export const MAX_SECRET = 64 * 1024;
/** As the agent takes it. */
const VOLUME_KEY_BYTES = 32;
const RANDOM = { min: 16, max: 1024 };
const PAGE = 1000;
/** Of one policy or grant. */
const MAX_DOCUMENT = 256 * 1024;

/** The kinds that commands change, beside secrets. */
export type DocumentKind = 'policy' | 'grant';

const PARSE = { policy: parseReleasePolicy, grant: parseGrant } as const;

/** Who changes what of whom. */
export interface Scope {
  readonly tenant: string;
  /** As in the audit log. */
  readonly actor: string;
}

export class Administration {
  readonly #parts: BrokerParts;
  readonly #quotas: Quotas;

  constructor(parts: BrokerParts, quotas: Quotas = QUOTAS) {
    this.#parts = parts;
    this.#quotas = quotas;
  }

  /** Stores a secret as its next version. */
  async putSecret(scope: Scope, path: string, content: Uint8Array): Promise<number> {
    if (content.length === 0 || content.length > MAX_SECRET) {
      throw new A3sError('invalid-argument', `A secret has 1 to ${MAX_SECRET} bytes`);
    }
    return this.#putSecret(scope, path, content, 'secret-put');
  }

  /**
   * Makes the random key of sealed volumes, which nobody but guests gets. It is made once: another
   * one at its path would lose what is on the volumes.
   *
   * @throws A3sError `broker-volume-key`, `broker-conflict` for the path of a secret
   */
  async createVolumeKey(scope: Scope, path: string): Promise<void> {
    const name = resourcePath(path);
    const { vault, now } = this.#parts;
    const content = randomBytes(VOLUME_KEY_BYTES);
    try {
      await this.#change(scope, 'volume-key', name, 'volume-key-created', async (held, key) => {
        if ((await held.record(key)) !== undefined) throw volumeKey(name);
        if ((await held.record({ ...key, kind: 'secret' })) !== undefined) {
          throw new A3sError('broker-conflict', `There is a secret ${name} already`);
        }
        await withinQuota(held, key, this.#quotas, () =>
          vault.put(held, key, content, { changedAt: now().getTime() }),
        );
      });
    } finally {
      content.fill(0);
    }
  }

  /**
   * Removes the key of sealed volumes.
   *
   * @param discard the caller says that what is on the volumes may be lost
   * @throws A3sError `broker-volume-key`, `broker-no-such-record`
   */
  async removeVolumeKey(scope: Scope, path: string, discard: boolean): Promise<void> {
    if (!discard) throw volumeKey(resourcePath(path));
    await this.remove(scope, 'volume-key', path);
  }

  /** Makes a random value the next version of a secret that there is. */
  async rotateSecret(scope: Scope, path: string, bytes: number): Promise<number> {
    if (!Number.isInteger(bytes) || bytes < RANDOM.min || bytes > RANDOM.max) {
      const range = `${RANDOM.min} to ${RANDOM.max}`;
      throw new A3sError('invalid-argument', `A random secret has ${range} bytes`);
    }
    return this.#putSecret(scope, path, randomBytes(bytes), 'secret-rotated', true);
  }

  /** @throws A3sError `policy-invalid`, `too-large`, `broker-declared`, `broker-quota` */
  async putDocument(
    scope: Scope,
    kind: DocumentKind,
    name: string,
    document: unknown,
  ): Promise<number> {
    recordName(kind, name);
    const content = Buffer.from(JSON.stringify(document) ?? '');
    if (content.length > MAX_DOCUMENT) {
      throw new A3sError('too-large', `A ${kind} has up to ${MAX_DOCUMENT} bytes of JSON`);
    }
    PARSE[kind](document);
    return this.#put(scope, kind, name, content, `${kind}-put`);
  }

  /** @throws A3sError `broker-no-such-record`, `broker-declared` */
  async remove(scope: Scope, kind: RecordKind, name: string): Promise<void> {
    await this.#change(scope, kind, name, `${kind}-removed`, async (transaction, key) => {
      if ((await transaction.record(key)) === undefined) throw missing(kind, name);
      await transaction.removeRecord(key);
    });
  }

  /**
   * Takes a policy or a grant out of effect, declared ones too, until {@link lift}. It holds for
   * every request from then on.
   */
  async revoke(scope: Scope, kind: DocumentKind, name: string): Promise<void> {
    const { vault, now } = this.#parts;
    recordName(kind, name);
    const revoked = `${kind}:${name}`;
    await this.#change(
      scope,
      'revocation',
      revoked,
      `${kind}-revoked`,
      async (transaction, key) => {
        const found = await transaction.record({ tenant: scope.tenant, kind, name });
        if (found === undefined) throw missing(kind, name);
        await withinQuota(transaction, key, this.#quotas, () =>
          vault.put(transaction, key, Buffer.from('{}'), { changedAt: now().getTime() }),
        );
      },
    );
  }

  /** @throws A3sError `broker-no-such-record` where it is not revoked */
  async lift(scope: Scope, kind: DocumentKind, name: string): Promise<void> {
    const revoked = `${kind}:${recordName(kind, name)}`;
    await this.#change(
      scope,
      'revocation',
      revoked,
      `${kind}-restored`,
      async (transaction, key) => {
        if ((await transaction.record(key)) === undefined) throw missing(`revoked ${kind}`, name);
        await transaction.removeRecord(key);
      },
    );
  }

  /**
   * Sets the counter of a volume, backwards too: after a loss of the volume, or of the broker's
   * store.
   *
   * @throws A3sError `invalid-argument`, `broker-quota`
   */
  async setCounter(scope: Scope, path: string, document: unknown): Promise<number> {
    const content = Buffer.from(JSON.stringify(parseCounter(document)));
    return this.#put(scope, 'counter', resourcePath(path), content, 'counter-set');
  }

  async counters(tenant: string): Promise<readonly (RecordFacts & Counter)[]> {
    const { store, vault } = this.#parts;
    const records = await store.transaction((transaction) =>
      vault.all(transaction, tenant, 'counter'),
    );
    return records.map(({ content, ...facts }) => ({
      ...facts,
      ...parseCounter(JSON.parse(content.toString())),
    }));
  }

  async list(tenant: string, kind: RecordKind): Promise<readonly RecordFacts[]> {
    const { store, vault } = this.#parts;
    return store.transaction((transaction) => vault.list(transaction, tenant, kind));
  }

  /** Policies and grants with their documents. */
  async documents(
    tenant: string,
    kind: DocumentKind,
  ): Promise<readonly (RecordFacts & { readonly revoked: boolean; readonly document: unknown })[]> {
    const { store, vault } = this.#parts;
    return store.transaction(async (transaction) => {
      const revocations = await vault.list(transaction, tenant, 'revocation');
      const revoked = new Set(revocations.map(({ name }) => name));
      const records = await vault.all(transaction, tenant, kind);
      return records.map(({ content, ...facts }) => ({
        ...facts,
        revoked: revoked.has(`${kind}:${facts.name}`),
        document: JSON.parse(content.toString()) as unknown,
      }));
    });
  }

  /** A page of the audit log: the entries of one tenant, and the number to go on from. */
  async entries(
    tenant: string,
    from: number,
  ): Promise<{ readonly entries: readonly AuditEntry[]; readonly next: number | null }> {
    const page = await this.#parts.store.transaction((transaction) =>
      transaction.entries(from, PAGE),
    );
    const entries = page
      .map(({ body }) => parseEntry(body))
      .filter((entry) => entry !== undefined)
      .filter((entry) => entry.tenant === tenant);
    return { entries, next: page.length < PAGE ? null : from + PAGE };
  }

  /** @throws A3sError `broker-volume-key` for the path of one, before anything is put */
  #putSecret(
    scope: Scope,
    path: string,
    content: Uint8Array,
    action: string,
    mustExist = false,
  ): Promise<number> {
    const name = resourcePath(path);
    return this.#put(scope, 'secret', name, content, action, { mustExist, notKey: true });
  }

  #put(
    scope: Scope,
    kind: RecordKind,
    name: string,
    content: Uint8Array,
    action: string,
    { mustExist = false, notKey = false } = {},
  ): Promise<number> {
    const { vault, now } = this.#parts;
    return this.#change(scope, kind, name, action, async (transaction, key) => {
      if (notKey && (await transaction.record({ ...key, kind: 'volume-key' })) !== undefined) {
        throw volumeKey(name);
      }
      if (mustExist && (await transaction.record(key)) === undefined) throw missing(kind, name);
      return withinQuota(transaction, key, this.#quotas, () =>
        vault.put(transaction, key, content, { changedAt: now().getTime() }),
      );
    });
  }

  async #change<T>(
    { tenant, actor }: Scope,
    kind: RecordKind,
    name: string,
    action: string,
    work: (
      transaction: StoreTransaction,
      key: { readonly tenant: string; readonly kind: RecordKind; readonly name: string },
    ) => Promise<T>,
  ): Promise<T> {
    const key = { tenant, kind, name };
    return this.#parts.store.transaction(async (transaction) => {
      if ((await transaction.record(key))?.declared === true) {
        throw new A3sError('broker-declared', `The ${kind} ${name} is declared in broker.yaml`);
      }
      const result = await work(transaction, key);
      await this.#parts.audit.append(transaction, { tenant, actor, action, object: name });
      return result;
    });
  }
}

function volumeKey(name: string): A3sError {
  return new A3sError(
    'broker-volume-key',
    `${name} is the key of sealed volumes: without it, what is on them is lost`,
  );
}

function missing(kind: string, name: string): A3sError {
  return new A3sError('broker-no-such-record', `There is no ${kind} ${name}`);
}
