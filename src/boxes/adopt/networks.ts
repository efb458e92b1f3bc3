/**
 * Takes over the networks that an earlier server left on the host, and keeps them in order.
 *
 * @module
 */
import type { BoxRefusal } from '../../networks/host/limit-box.ts';
import { BRIDGE } from '../../networks/predefined.ts';
import { mayHaveVm } from '../record/states.ts';
import { hasLimitedOwn } from '../run/network-places.ts';
import { relayedPorts } from '../run/relayed-ports.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';

/** How often the processes of networks are looked at. */
const INTERVAL_MS = 2_000;
/** In how many of these rounds it is asked what policies have refused. */
const REFUSALS_EVERY = 4;
/** Events of refusals of one box at a time. */
const MAX_REFUSALS = 16;

type WatchHost = Pick<
  Services,
  'hostNetworks' | 'networks' | 'store' | 'events' | 'log' | 'shutdown'
>;

/**
 * Keeps the places that are on record, which are those of boxes that run by their records, and
 * removes what is left of others. A box that turns out to be gone leaves its networks afterwards,
 * when its end is recorded.
 */
export async function adoptNetworks(
  rt: Pick<Services, 'store' | 'networks' | 'hostNetworks' | 'log'>,
): Promise<void> {
  const own = rt.store
    .list()
    .filter(({ definition, state }) => hasLimitedOwn(definition) && mayHaveVm(state.status))
    .map(({ definition }) => ({ box: definition.id, network: BRIDGE.id }));
  const kept = [...own, ...rt.networks.all().flatMap(({ id }) => rt.networks.endpointsOf(id))];
  const published = rt.store
    .list()
    .filter(({ state }) => mayHaveVm(state.status))
    .map(({ definition, state }) => [definition.id, relayedPorts(state.ports)] as const);
  try {
    await rt.hostNetworks.reconcileRelays(new Map(published));
    await rt.hostNetworks.reconcile(kept);
  } catch (error) {
    // Boxes that need no network must not wait for this.
    rt.log.error('the networks on the host could not be taken over', error);
  }
}

/** Starts processes of networks again that have ended, until the server ends. */
export function watchNetworks(rt: WatchHost): void {
  const { hostNetworks, shutdown } = rt;
  let repairing = false;
  let round = 0;
  const timer = setInterval(async () => {
    if (repairing) return;
    repairing = true;
    round += 1;
    await hostNetworks.repair();
    if (round % REFUSALS_EVERY === 0) await publishRefusals(rt);
    repairing = false;
  }, INTERVAL_MS).unref();
  shutdown.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/**
 * Publishes what policies have refused to boxes since the last time. A box that is refused more
 * than fits has the rest as a number.
 */
export async function publishRefusals(rt: Omit<WatchHost, 'shutdown'>): Promise<void> {
  try {
    const ofBoxes = new Map<string, BoxRefusal[]>();
    for (const refusal of await rt.hostNetworks.refusals()) {
      ofBoxes.set(refusal.box, [...(ofBoxes.get(refusal.box) ?? []), refusal]);
    }
    for (const [id, refusals] of ofBoxes) {
      const box = rt.store.get(id);
      if (box === undefined) continue;
      const more = refusals.length - MAX_REFUSALS;
      for (const [at, { target, of, rule, network }] of refusals.slice(0, MAX_REFUSALS).entries()) {
        const name = rt.networks.get(network)?.name ?? 'bridge';
        const rest = at === MAX_REFUSALS - 1 && more > 0 ? { more: String(more) } : {};
        publish(rt, box, 'egress-refused', { target, policy: of, rule, network: name, ...rest });
      }
    }
  } catch (error) {
    rt.log.error('it is not known what policies have refused', error);
  }
}
