/**
 * Attaches network cards to a VM that runs, and detaches them.
 *
 * @module
 */
import { retry } from '../../../async/retry.ts';
import { A3sError } from '../../../errors.ts';
import { backendCommands } from '../command-line/devices.ts';
import { nicSlot } from '../command-line/slots.ts';
import { executeAll } from './execute-all.ts';
import { attachedDevices, DETACH_MS, emptyPorts } from './hotplug.ts';
import { ANY_ANSWER, type QmpClient } from './qmp.ts';

type Monitor = Pick<QmpClient, 'execute'>;

/**
 * QEMU itself announces the card. passt delivers nothing before it knows the address of the card,
 * and what a guest sends while its driver is about to begin may be lost.
 */
const ONCE = { initial: 50, max: 50, rounds: 1, step: 0 };

/** What takes a card's frames: a tap device, or the translator that listens on a socket. */
export type NicUplink = { readonly tap: number } | { readonly socket: string };

/**
 * Attaches a card at a root port that is free, in place of one of the same number. The first card
 * has a port of its own, where forks of the VM have it too.
 *
 * @param index of the card among those of the VM; 0 is the card that it is launched with
 * @throws A3sError `conflict` where no port is free, `vmm-failed`
 */
export async function attachNic(
  monitor: Monitor,
  index: number,
  { mac, uplink }: { readonly mac: string; readonly uplink: NicUplink | undefined },
): Promise<void> {
  await detachNic(monitor, index);
  const bus = await freePort(monitor, index);
  const [id, netdev] = [`nic${index}`, `net${index}`];
  // Its guest is not asked to announce it: see the card of a template.
  const place = { driver: 'virtio-net-pci', bus, addr: '0x0.0x0', guest_announce: false };
  const backend = uplink === undefined ? {} : { netdev };
  const card = { ...place, ...backend, id, mac, romfile: '' };
  if (uplink !== undefined) await executeAll(monitor, backendCommands(netdev, uplink));
  try {
    await monitor.execute('device_add', card, ANY_ANSWER);
    if (uplink !== undefined && 'socket' in uplink) {
      await monitor.execute('announce-self', ONCE, ANY_ANSWER);
    }
  } catch (error) {
    await removeBackend(monitor, netdev);
    throw error;
  }
}

/**
 * Detaches a card, and returns when the guest has given it up. Nothing happens where there is none.
 *
 * @throws A3sError `vmm-failed` where the guest does not give it up; it has no network then
 */
export async function detachNic(monitor: Monitor, index: number): Promise<void> {
  const id = `nic${index}`;
  try {
    if (await isAttached(monitor, id)) {
      // It may be on its way already, from an earlier attempt.
      await monitor.execute('device_del', { id }, ANY_ANSWER).catch(() => undefined);
      await retry(
        async () => ((await isAttached(monitor, id)) ? undefined : true),
        AbortSignal.timeout(DETACH_MS),
      );
    }
  } catch (cause) {
    if (cause instanceof A3sError) throw cause;
    throw new A3sError('vmm-failed', 'Cannot detach a network card: the guest keeps it', {
      remedy: 'Restart the box; the card is not in the network any more.',
      cause,
    });
  } finally {
    await removeBackend(monitor, `net${index}`);
  }
}

async function isAttached(monitor: Monitor, id: string): Promise<boolean> {
  return (await attachedDevices(monitor)).includes(id);
}

/** Whether the VM has it or not. */
async function removeBackend(monitor: Monitor, id: string): Promise<void> {
  await monitor.execute('netdev_del', { id }, ANY_ANSWER).catch(() => undefined);
}

async function freePort(monitor: Monitor, index: number): Promise<string> {
  const { bus } = nicSlot();
  const ports = await emptyPorts(monitor);
  const free = ports.find((port) => (port === bus) === (index === 0)) ?? ports[0];
  if (free !== undefined) return free;
  throw new A3sError(
    'conflict',
    'Cannot attach another network card: the microVM has no place for one',
    { remedy: 'Disconnect the box from another network, or mount fewer volumes.' },
  );
}
