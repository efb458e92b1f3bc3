/**
 * Limits what one tenant keeps: all tenants share one process, one disk and one thread.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Quotas } from '../record/tenant-quotas.ts';
import type { RecordKind, StoreTransaction, Usage } from '../store/store.ts';

/** Of policies, and of grants: each release looks at them. */
const MAX_DOCUMENTS = 256;
/** Of policies and grants together. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** More than there are documents: a revocation outlives what it revokes. */
const MAX_REVOCATIONS = 2048;
/** Guests make them, one for each path of a grant. */
const MAX_COUNTERS = 4096;

interface Bound extends Usage {
  /** The kinds whose bytes count together. */
  readonly kinds: readonly RecordKind[];
}

/**
 * Runs a change of records of one kind, and refuses what exceeds the quota. What makes nothing more
 * is permitted, above the quota too.
 *
 * @throws A3sError `broker-quota`; the transaction has to end with it
 */
export async function withinQuota<T>(
  transaction: StoreTransaction,
  { tenant, kind }: { readonly tenant: string; readonly kind: RecordKind },
  quotas: Quotas,
  change: () => Promise<T>,
): Promise<T> {
  const { kinds, ...most } = boundOf(kind, quotas);
  const used = async (): Promise<Usage> => {
    const { records } = await transaction.usage(tenant, kind);
    let bytes = 0;
    for (const each of kinds) bytes += (await transaction.usage(tenant, each)).bytes;
    return { records, bytes };
  };
  const before = await used();
  const result = await change();
  const after = await used();
  for (const what of ['records', 'bytes'] as const) {
    if (after[what] <= most[what] || after[what] <= before[what]) continue;
    const unit = what === 'bytes' ? `bytes of ${kinds.join(' and ')} records` : `${kind} records`;
    throw new A3sError(
      'broker-quota',
      `Cannot keep it: the tenant may have ${most[what]} ${unit}, and would have ${after[what]}`,
    );
  }
  return result;
}

function boundOf(kind: RecordKind, { secrets, secretBytes }: Quotas): Bound {
  if (kind === 'secret' || kind === 'volume-key') {
    return { records: secrets, bytes: secretBytes, kinds: ['secret', 'volume-key'] };
  }
  if (kind === 'revocation') {
    return { records: MAX_REVOCATIONS, bytes: MAX_DOCUMENT_BYTES, kinds: ['revocation'] };
  }
  if (kind === 'counter') {
    return { records: MAX_COUNTERS, bytes: MAX_DOCUMENT_BYTES, kinds: ['counter'] };
  }
  return { records: MAX_DOCUMENTS, bytes: MAX_DOCUMENT_BYTES, kinds: ['policy', 'grant'] };
}
