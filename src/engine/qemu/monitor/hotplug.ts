/**
 * What a VM that runs has of devices with an id, and of root ports without a device.
 *
 * @module
 */
import * as z from 'zod';
import { nicSlot } from '../command-line/slots.ts';
import type { QmpClient } from './qmp.ts';

type Monitor = Pick<QmpClient, 'execute'>;

/** How long a guest may take to give a device up: one of another operating system takes seconds. */
export const DETACH_MS = 15_000;

const Names = z.array(z.object({ name: z.string() }));
const Buses = z.array(
  z.object({
    devices: z.array(
      z.object({
        qdev_id: z.string(),
        pci_bridge: z.object({ devices: z.array(z.unknown()).optional() }).optional(),
      }),
    ),
  }),
);

/** The ids of its devices. One that is detached is there until the guest has given it up. */
export async function attachedDevices(monitor: Monitor): Promise<string[]> {
  const devices = await monitor.execute('qom-list', { path: '/machine/peripheral' }, Names);
  return devices.map(({ name }) => name);
}

/** Root ports without a device, except that of the first network card, which may come yet. */
export async function freePorts(monitor: Monitor): Promise<string[]> {
  return (await emptyPorts(monitor)).filter((port) => port !== nicSlot().bus);
}

/** Root ports without a device. */
export async function emptyPorts(monitor: Monitor): Promise<string[]> {
  const buses = await monitor.execute('query-pci', {}, Buses);
  return buses
    .flatMap(({ devices }) => devices)
    .filter(
      ({ qdev_id, pci_bridge }) =>
        /^rp\d+$/.test(qdev_id) && (pci_bridge?.devices ?? []).length === 0,
    )
    .map(({ qdev_id }) => qdev_id);
}
