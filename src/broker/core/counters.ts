/**
 * Counters of sealed volumes in the store. A counter never goes back, except by an administrator.
 *
 * @module
 */
import { type Counter, type CounterStep, parseCounter } from '../record/counter.ts';
import { QUOTAS } from '../record/tenant-quotas.ts';
import type { StoreTransaction } from '../store/store.ts';
import type { Vault } from '../vault/vault.ts';
import { withinQuota } from './quotas.ts';

/** @throws A3sError `record-broken` */
export async function findCounter(
  vault: Vault,
  transaction: StoreTransaction,
  tenant: string,
  path: string,
): Promise<Counter | undefined> {
  const found = await vault.get(transaction, { tenant, kind: 'counter', name: path });
  return found === undefined ? undefined : parseCounter(JSON.parse(found.content.toString()));
}

/** @throws A3sError `broker-quota` */
export async function putCounter(
  transaction: StoreTransaction,
  vault: Vault,
  { tenant, path }: { readonly tenant: string; readonly path: string },
  counter: Counter,
  now: Date,
): Promise<number> {
  const key = { tenant, kind: 'counter', name: path } as const;
  const content = Buffer.from(JSON.stringify(counter));
  // How many there may be is no part of the configuration.
  return withinQuota(transaction, key, QUOTAS, () =>
    vault.put(transaction, key, content, { changedAt: now.getTime() }),
  );
}

/** Which check refuses a step; undefined: none. */
export function stepRefusal(
  before: Counter | undefined,
  { volume, from, to }: CounterStep,
): 'volume' | 'generation' | undefined {
  // Where the counter of a volume begins, its guest says: it was made by then.
  if (before === undefined) return from === 0 ? undefined : 'generation';
  if (before.volume !== volume) return 'volume';
  return before.generation === from && to === from + 1 ? undefined : 'generation';
}
