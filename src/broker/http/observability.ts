/**
 * `/metrics` and `/healthz`. Without TLS and without access control: it says nothing of tenants,
 * and belongs on an address that only the operator reaches.
 *
 * @module
 */
import type { RequestListener } from 'node:http';
import type { BrokerStore, StoreTransaction } from '../store/store.ts';
import type { Metrics } from './metrics.ts';

export interface Observed {
  readonly metrics: Metrics;
  readonly sessions: { size(): Promise<number> };
  readonly vault: { storedEpoch(transaction: StoreTransaction): Promise<number> };
  readonly store: BrokerStore;
  readonly onError: (error: unknown) => void;
}

export function observabilityListener(observed: Observed): RequestListener {
  return (incoming, outgoing) => {
    respond(incoming.url ?? '', observed)
      .catch((error: unknown) => {
        observed.onError(error);
        return { status: 503, body: 'failing\n' };
      })
      .then(({ status, body }) => {
        outgoing.writeHead(status, { 'content-type': 'text/plain; version=0.0.4' });
        outgoing.end(body);
      });
  };
}

/** Healthy is a broker whose store answers. */
async function respond(
  url: string,
  { metrics, sessions, vault, store }: Observed,
): Promise<{ readonly status: number; readonly body: string }> {
  if (url !== '/healthz' && url !== '/metrics') return { status: 404, body: 'not found\n' };
  const { last, epoch } = await store.transaction(async (transaction) => ({
    last: await transaction.lastEntry(),
    epoch: await vault.storedEpoch(transaction),
  }));
  if (url === '/healthz') return { status: 200, body: 'ok\n' };
  metrics.set('a3s_broker_sessions', await sessions.size());
  metrics.set('a3s_broker_root_key_epoch', epoch);
  metrics.set('a3s_broker_audit_entries', last?.seq ?? 0);
  return { status: 200, body: metrics.text() };
}
