/**
 * Carries bytes between a guest and its secret broker. A guest need not have a network for it. It
 * does not trust this host: the connection is TLS to the key that the launch spec names.
 *
 * @module
 */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerEndpoint } from '@a3s-box/policies';
import type { RunningBox } from '../run/running-box.ts';
import type { Services } from '../services/services.ts';
import { isWaiting } from './watch-secrets.ts';

/** How long a connection may go without a byte: longer than the agent waits for an answer. */
const IDLE_MS = 90_000;
/** A guest that connects again and again has so many connections, and one each pause. */
const MAX_CONNECTIONS = 4;
const PAUSE_MS = 100;
const RETRY_MS = 1000;

/** Returns when the guest has its secrets, or will not get them any more. Never rejects. */
export async function relayBroker(
  rt: Pick<Services, 'log' | 'store'>,
  running: RunningBox,
): Promise<void> {
  const broker = rt.store.get(running.id)?.definition.confidential?.broker;
  if (broker === undefined) return;
  const carried = new Set<Promise<void>>();
  while (isWaiting(rt, running)) {
    let failure: unknown;
    try {
      const guest = await (await running.guest()).brokerConnection(running.signal);
      const carrying = carry(guest, broker, running.signal);
      carried.add(carrying);
      void carrying.then(() => carried.delete(carrying));
    } catch (error) {
      failure = error;
    }
    const pause = failure === undefined ? PAUSE_MS : RETRY_MS;
    await delay(pause, undefined, { signal: running.signal, ref: false }).catch(() => undefined);
    // A guest with nothing to fetch any more refuses, which its secrets' state then tells.
    if (failure !== undefined && isWaiting(rt, running)) {
      rt.log.error('a guest takes no connection to its broker', failure, { box: running.id });
    }
    if (carried.size >= MAX_CONNECTIONS) await Promise.race(carried);
  }
}

/** Both directions end together. Resolves then, whatever ended them. */
function carry(guest: Duplex, { host, port }: BrokerEndpoint, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const broker: Socket = connect({ host, port });
    broker.setTimeout(IDLE_MS);
    const end = (): void => {
      signal.removeEventListener('abort', end);
      guest.destroy();
      broker.destroy();
      resolve();
    };
    // What went wrong the agent finds out itself, and says.
    for (const side of [guest, broker]) side.once('error', end).once('close', end);
    broker.once('timeout', end);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    guest.pipe(broker);
    broker.pipe(guest);
  });
}
