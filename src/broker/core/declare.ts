/**
 * Brings the policies and grants of the store in line with those that the configuration declares.
 *
 * @module
 */
import { canonicalJson } from '../../canonical-json.ts';
import { A3sError } from '../../errors.ts';
import type { RecordKey, StoreTransaction } from '../store/store.ts';
import type { OpenedRecord, Vault } from '../vault/vault.ts';
import type { DocumentKind } from './administration.ts';
import type { BrokerParts } from './broker.ts';

type Documents = ReadonlyMap<string, unknown>;

export interface Declared {
  readonly policies: Documents;
  readonly grants: Documents;
}

/** All of it or nothing; what is as declared already changes nothing, and is no audit entry. */
export async function declare(
  parts: BrokerParts,
  tenants: ReadonlyMap<string, Declared>,
): Promise<void> {
  await parts.store.transaction(async (transaction) => {
    for (const [tenant, { policies, grants }] of tenants) {
      await declareKind(parts, transaction, { tenant, kind: 'policy' }, policies);
      await declareKind(parts, transaction, { tenant, kind: 'grant' }, grants);
    }
  });
}

/** Undefined for one that is damaged: the configuration has what belongs there. */
async function readable(
  vault: Vault,
  transaction: StoreTransaction,
  key: RecordKey,
): Promise<OpenedRecord | undefined> {
  return vault.get(transaction, key).catch((error: unknown) => {
    if (error instanceof A3sError && error.code === 'record-broken') return undefined;
    throw error;
  });
}

async function declareKind(
  { vault, audit, now }: BrokerParts,
  transaction: StoreTransaction,
  { tenant, kind }: { readonly tenant: string; readonly kind: DocumentKind },
  documents: Documents,
): Promise<void> {
  const event = (action: string, name: string) =>
    audit.append(transaction, { tenant, actor: 'broker.yaml', action, object: name });
  const records = await vault.list(transaction, tenant, kind);
  for (const { name, declared } of records) {
    if (!declared || documents.has(name)) continue;
    await transaction.removeRecord({ tenant, kind, name });
    await event(`${kind}-removed`, name);
  }
  for (const [name, document] of documents) {
    const content = canonicalJson(document);
    const isDeclared = records.some((record) => record.name === name && record.declared);
    // Others are not read: one that is damaged keeps no broker from starting.
    const before = isDeclared
      ? await readable(vault, transaction, { tenant, kind, name })
      : undefined;
    if (before?.content.toString() === content) continue;
    const facts = { changedAt: now().getTime(), declared: true };
    await vault.put(transaction, { tenant, kind, name }, Buffer.from(content), facts);
    await event(`${kind}-put`, name);
  }
}
