/**
 * Brings the policies and grants of the store in line with those that the configuration declares.
 *
 * @module
 */
import { canonicalJson } from '../../canonical-json.ts';
import type { StoreTransaction } from '../store/store.ts';
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

async function declareKind(
  { vault, audit, now }: BrokerParts,
  transaction: StoreTransaction,
  { tenant, kind }: { readonly tenant: string; readonly kind: DocumentKind },
  documents: Documents,
): Promise<void> {
  const event = (action: string, name: string) =>
    audit.append(transaction, { tenant, actor: 'broker.yaml', action, object: name });
  const records = await vault.all(transaction, tenant, kind);
  for (const { name, declared } of records) {
    if (!declared || documents.has(name)) continue;
    await transaction.removeRecord({ tenant, kind, name });
    await event(`${kind}-removed`, name);
  }
  for (const [name, document] of documents) {
    const content = canonicalJson(document);
    const before = records.find((record) => record.name === name);
    if (before?.declared === true && before.content.toString() === content) continue;
    const facts = { changedAt: now().getTime(), declared: true };
    await vault.put(transaction, { tenant, kind, name }, Buffer.from(content), facts);
    await event(`${kind}-put`, name);
  }
}
