/**
 * Attaches network cards to a VM that runs, and detaches them.
 *
 * @module
 */
import { retry } from '../../../async/retry.ts';
import { A3sError } from '../../../errors.ts';
import { joinCommands, TEMPLATE_MAC } from '../command-line/template-devices.ts';
import { executeAll } from './execute-all.ts';
import { attachedDevices, DETACH_MS, freePorts } from './hotplug.ts';
import { ANY_ANSWER, type QmpClient } from './qmp.ts';

type Monitor = Pick<QmpClient, 'execute'>;

/** The backends of the card that a VM is launched with, from the outside in. */
const LAUNCHED = ['uplink', 'network', 'sink'] as const;

/**
 * Attaches a card at a root port that is free, in place of one of the same number.
 *
 * @param index of the card among those of the VM; 0 is the card that it is launched with
 * @throws A3sError `conflict` where no port is free, `vmm-failed`
 */
export async function attachNic(
  monitor: Monitor,
  index: number,
  { mac, tap }: { readonly mac: string; readonly tap: number },
): Promise<void> {
  await detachNic(monitor, index);
  const bus = await freePort(monitor);
  const [id, netdev] = [`nic${index}`, `net${index}`];
  await executeAll(monitor, [
    ['getfd', { fdname: netdev }, tap],
    ['netdev_add', { type: 'tap', id: netdev, fd: netdev }],
  ]);
  const card = { driver: 'virtio-net-pci', bus, addr: '0x0.0x0', netdev, id, mac, romfile: '' };
  try {
    await monitor.execute('device_add', card, ANY_ANSWER);
  } catch (error) {
    await removeBackend(monitor, netdev);
    throw error;
  }
}

/**
 * Has the card that a VM of a template was launched with lead to another tap device, in place of
 * the translator. The guest must be paused: in between, its card leads nowhere.
 *
 * @throws A3sError `vmm-failed`; the card may lead to either then
 */
export async function redirectNic(monitor: Monitor, tap: number): Promise<void> {
  const nic = { mac: TEMPLATE_MAC, ports: [], tap };
  await executeAll(monitor, [
    ['netdev_del', { id: 'uplink' }],
    ['netdev_del', { id: 'network' }],
    ...joinCommands(nic, ''),
  ]);
}

/**
 * Detaches a card, and returns when the guest has given it up. Nothing happens where there is none.
 *
 * @throws A3sError `vmm-failed` where the guest does not give it up; it has no network then
 */
export async function detachNic(monitor: Monitor, index: number): Promise<void> {
  const id = `nic${index}`;
  const backends = [...(index === 0 ? LAUNCHED : []), `net${index}`];
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
    for (const backend of backends) await removeBackend(monitor, backend);
  }
}

async function isAttached(monitor: Monitor, id: string): Promise<boolean> {
  return (await attachedDevices(monitor)).includes(id);
}

/** Whether the VM has it or not. */
async function removeBackend(monitor: Monitor, id: string): Promise<void> {
  await monitor.execute('netdev_del', { id }, ANY_ANSWER).catch(() => undefined);
}

async function freePort(monitor: Monitor): Promise<string> {
  const [free] = await freePorts(monitor);
  if (free !== undefined) return free;
  throw new A3sError(
    'conflict',
    'Cannot attach another network card: the microVM has no place for one',
    { remedy: 'Disconnect the box from another network, or mount fewer volumes.' },
  );
}
