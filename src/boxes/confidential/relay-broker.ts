/**
 * Carries bytes between a guest and its secret broker. A guest need not have a network for it. It
 * does not trust this host: the connection is TLS to the key that the launch spec names.
 *
 * @module
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningBox } from '../run/running-box.ts';
import type { Services } from '../services/services.ts';
import { connectBroker, REFUSED_TO_BOXES, type RefusedKinds } from './connect-broker.ts';
import { isPresent, isWaiting } from './watch-secrets.ts';

/** A guest that connects again and again has so many connections, and one each pause. */
const MAX_CONNECTIONS = 4;
const PAUSE_MS = 100;
/** After a guest has refused, doubled each time. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 8000;

/**
 * Returns when the guest has its secrets, or will not get them any more; where it fetches them
 * again and again, or gives tokens, when it has ended. Never rejects.
 *
 * @param retryMs the first pause after a guest has refused
 */
export async function relayBroker(
  rt: Pick<Services, 'log' | 'store'>,
  running: Relayed,
  retryMs = RETRY_MS,
): Promise<void> {
  const { broker, secrets = [] } = rt.store.get(running.id)?.definition.confidential ?? {};
  if (broker === undefined) return;
  const isLasting = broker.tokens === true || secrets.some(({ refresh }) => refresh !== undefined);
  const isNeeded = () => (isLasting ? isPresent(rt, running) : isWaiting(rt, running));
  await relayWhile(rt, running, { broker, isNeeded, retryMs });
}

/**
 * Carries bytes between a guest and its broker while the guest takes its launch spec: it fetches
 * the keys of its volumes then.
 *
 * @param taking sends the launch spec
 */
export async function relayWhileTaking<T>(
  rt: Pick<Services, 'log' | 'store'>,
  running: Relayed,
  taking: () => Promise<T>,
): Promise<T> {
  const { confidential, volumeMounts = [] } = rt.store.get(running.id)?.definition ?? {};
  const broker = confidential?.broker;
  const isKeyed = volumeMounts.some(({ sealed }) => sealed?.key !== undefined);
  if (broker === undefined || !isKeyed) return taking();
  const taken = new AbortController();
  const { id } = running;
  const signal = AbortSignal.any([running.signal, taken.signal]);
  const guest = () => running.guest();
  const isNeeded = () => !signal.aborted;
  const options = { broker, isNeeded };
  const relaying = relayWhile(rt, { id, signal, guest }, options);
  try {
    return await taking();
  } finally {
    taken.abort();
    await relaying;
  }
}

type Relayed = Pick<RunningBox, 'id' | 'run' | 'signal' | 'guest'>;

export interface RelayOptions {
  readonly broker: Parameters<typeof connectBroker>[0];
  readonly isNeeded: () => boolean;
  /** Of the broker. Absent: those of boxes. */
  readonly refused?: RefusedKinds;
  readonly retryMs?: number;
}

/** Never rejects. It returns when the connections are not needed any more. */
export async function relayWhile(
  rt: Pick<Services, 'log'>,
  running: Omit<Relayed, 'run'>,
  { broker, isNeeded, refused = REFUSED_TO_BOXES, retryMs = RETRY_MS }: RelayOptions,
): Promise<void> {
  const { host, port } = broker;
  const ofBroker = changes((failure) => {
    const fields = { box: running.id, host, port };
    rt.log.error('cannot connect to the broker of a box', failure, fields);
  });
  const ofGuest = changes((failure) => {
    rt.log.error('cannot open a broker connection to a guest', failure, { box: running.id });
  });
  const carried = new Set<Promise<void>>();
  let retry = retryMs;
  while (isNeeded()) {
    let failure: unknown;
    try {
      const guest = await (await running.guest()).brokerConnection(running.signal);
      const carrying = carry(guest, connectBroker(broker, refused), running.signal, ofBroker);
      carried.add(carrying);
      void carrying.then(() => carried.delete(carrying));
    } catch (error) {
      failure = error;
    }
    const pause = failure === undefined ? PAUSE_MS : retry;
    await delay(pause, undefined, { signal: running.signal, ref: false }).catch(() => undefined);
    retry = failure === undefined ? retryMs : Math.min(2 * retry, MAX_RETRY_MS);
    // A guest with nothing to fetch any more refuses, which its secrets' state then tells.
    if (isNeeded()) ofGuest(failure);
    if (carried.size >= MAX_CONNECTIONS) await Promise.race(carried);
  }
}

/** Reports the first failure, and each that differs from the one before. */
function changes(report: (failure: unknown) => void): (failure: unknown) => void {
  let last: string | undefined;
  return (failure) => {
    const reason = failure === undefined ? undefined : reasonOf(failure);
    if (reason !== undefined && reason !== last) report(failure);
    last = reason;
  };
}

/** The same for all addresses of a name. */
function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  return 'code' in failure ? String(failure.code) : failure.message;
}

/**
 * Both directions end together. Resolves then, whatever ended them.
 *
 * @param connected learns why the broker was not connected to, or with `undefined` that it was
 */
function carry(
  guest: Duplex,
  broker: Socket,
  signal: AbortSignal,
  connected: (failure: unknown) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let isConnected = false;
    const end = (): void => {
      signal.removeEventListener('abort', end);
      guest.destroy();
      broker.destroy();
      resolve();
    };
    broker.once('connect', () => {
      isConnected = true;
      connected(undefined);
    });
    // What goes wrong later, the agent finds out itself, and says.
    broker.once('error', (error) => {
      if (!isConnected) connected(error);
    });
    for (const side of [guest, broker]) side.once('error', end).once('close', end);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    guest.pipe(broker);
    broker.pipe(guest);
  });
}
