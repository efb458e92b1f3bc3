/**
 * Where box-specific devices are attached: eight functions behind each PCIe root port.
 *
 * @module
 */
import type { Disk } from '../../vm/devices.ts';
import { HOTPLUG_CAPACITY, TEMPLATE_SLOTS } from '../../vm/slots.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';

const FUNCTIONS = HOTPLUG_CAPACITY.functions;
/**
 * A minimum, so that small boxes share a shape. Each port costs the guest about 20 ms of boot under
 * emulation.
 */
const FEWEST_PORTS = 4;

/** The network's port, then as many as the disks need, then the shares'. */
const NIC_PORT = 0;

/**
 * A place for one device. A slot becomes visible when its function 0 is attached, so function 0
 * comes last.
 */
export interface Slot {
  readonly bus: string;
  readonly addr: string;
  readonly multifunction: boolean;
}

export function rootPorts({ disks, shares, sparePorts = 0 }: VmSpec): number {
  const own = 1 + portsFor(disks.length) + portsFor(shares.length);
  return Math.max(FEWEST_PORTS, own + sparePorts);
}

/**
 * Where disks are attached to ports that are free, in the order to attach them.
 *
 * @returns index of each disk with its place; undefined when the ports are too few
 */
export function freeSlots(count: number, ports: readonly string[]): [number, Slot][] | undefined {
  if (portsFor(count) > ports.length) return undefined;
  return place(count, (port) => ports[port] ?? '');
}

/** Serials of the disks that a templated VM has from the start, with their places. */
export function templateSlots(): [serial: string, slot: Slot][] {
  const serials = [TEMPLATE_SLOTS.changes, ...TEMPLATE_SLOTS.layers];
  return serials.map((serial, n) => [
    serial,
    { bus: `rp${NIC_PORT + 1}`, addr: `0x0.0x${n}`, multifunction: true },
  ]);
}

/**
 * Root ports of a VM that starts from a template: the network's, the slots', and those for devices
 * that are attached later. Each costs every start 0.8 ms in QEMU.
 */
export function templatePorts({ sparePorts = 0 }: Pick<VmSpec, 'sparePorts'>): number {
  return 2 + Math.max(HOTPLUG_CAPACITY.ports, sparePorts);
}

/**
 * Where a VM from a template attaches disks that have no slot of their own.
 *
 * @returns index of each such disk with its place, in the order to attach them; undefined when
 * there are too many
 */
export function extraSlots(
  spec: Pick<VmSpec, 'disks' | 'shares' | 'sparePorts'>,
): { disks: [number, Slot][]; shares: [number, Slot][] } | undefined {
  const slots = new Set(templateSlots().map(([serial]) => serial));
  const extra = spec.disks.flatMap((disk: Disk, index) => (slots.has(disk.serial) ? [] : [index]));
  const first = NIC_PORT + 2;
  const sharesFrom = first + portsFor(extra.length);
  if (sharesFrom + portsFor(spec.shares.length) > templatePorts(spec)) return undefined;
  const disks = fill(extra.length, first).flatMap(([n, slot]): [number, Slot][] => {
    const index = extra[n];
    return index === undefined ? [] : [[index, slot]];
  });
  return { disks, shares: fill(spec.shares.length, sharesFrom) };
}

export function nicSlot(): Slot {
  return { bus: `rp${NIC_PORT}`, addr: '0x0.0x0', multifunction: false };
}

/** @returns index of each disk with its slot, in the order to attach them */
export function diskSlots({ disks }: VmSpec): [number, Slot][] {
  return fill(disks.length, NIC_PORT + 1);
}

/** @returns index of each share with its slot, in the order to attach them */
export function shareSlots({ disks, shares }: VmSpec): [number, Slot][] {
  return fill(shares.length, NIC_PORT + 1 + portsFor(disks.length));
}

function portsFor(count: number): number {
  return Math.ceil(count / FUNCTIONS);
}

function fill(count: number, firstPort: number): [number, Slot][] {
  return place(count, (port) => `rp${firstPort + port}`);
}

function place(count: number, bus: (port: number) => string): [number, Slot][] {
  const slots: [number, Slot][] = [];
  for (let port = 0; port < portsFor(count); port++) {
    const first = port * FUNCTIONS;
    const used = Math.min(FUNCTIONS, count - first);
    for (let n = used - 1; n >= 0; n--) {
      const slot = { bus: bus(port), addr: `0x0.0x${n}`, multifunction: used > 1 };
      slots.push([first + n, slot]);
    }
  }
  return slots;
}
