/**
 * Publishes the ports of a box that runs where it is now.
 *
 * @module
 */
import type { Port } from '../record/box.ts';
import {
  isRelayed,
  type PlacesHost,
  portsInNetworks,
  publishPorts,
} from '../run/network-places.ts';
import { relayedPorts } from '../run/relayed-ports.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import { choosePorts, relayPorts } from './relay-ports.ts';

/** What it takes of the server that ports move. */
export type PublishHost = PlacesHost & Pick<RunServices, 'store' | 'running'>;

/**
 * A box in the default network has its ports for good, and keeps them.
 *
 * @throws A3sError `port-in-use`, `network-failed`; it has no ports then
 */
export async function publishAnew(rt: PublishHost, running: RunningBox): Promise<void> {
  const { id } = running;
  const box = rt.store.expect(id);
  if (box.definition.network === 'default') return;
  const asked = portsInNetworks(rt, box.definition);
  let published: readonly Port[] = [];
  try {
    if (asked.length === 0) return;
    const { ports: known } = box.state;
    const relayed = isRelayed(rt, box.definition);
    const ports =
      known.length > 0 ? await relayPorts(known, relayed) : await choosePorts(asked, relayed);
    // It may have ports that are published without it from now on.
    await rt.hostNetworks.relay(id, []);
    await publishPorts(rt, box, ports);
    await rt.hostNetworks.relay(id, relayedPorts(ports));
    published = ports;
  } finally {
    if (published.length === 0) await rt.hostNetworks.relay(id, []);
    // What failed publishes nothing, and the record of a run that has ended has no ports.
    if (rt.running.get(id) === running) rt.store.amend(id, { ports: [...published] });
  }
}
