/**
 * QEMU's command line, as a pure function of what the machine is.
 *
 * Only what every machine of a shape has is here. What belongs to one box (disks, network, shares) is plugged through
 * the monitor before the first instruction runs, see `hotplug.ts`.
 *
 * @module
 */
import type { MachineSpec } from '../engine.ts';
import { rootPorts } from './slots.ts';

export type Accelerator = 'kvm' | 'tcg';

/** Descriptors that QEMU inherits, by number. */
export interface VmmDescriptors {
  readonly kernel: number;
  readonly initrd: number;
  /** `/dev/kvm`, opened for reading and writing; only with that accelerator. */
  readonly kvm: number | undefined;
  /** One per disk, in the spec's order. */
  readonly disks: readonly number[];
}

/** Sockets of one machine, in its runtime directory. */
export interface VmmSockets {
  readonly monitor: string;
  readonly control: string;
}

/** Name of the virtio-serial port, as the guest protocol says. */
export const CONTROL_PORT = 'a3s.control';
/** The port's id in the monitor's events, which tell when the guest opens it. */
export const CONTROL_PORT_ID = 'control-port';
/** The guest's console is a ring of this many bytes in the VMM. */
export const CONSOLE_BYTES = 64 * 1024;
/** Chardev that the console ends in. */
export const CONSOLE = 'console';

/** Chardev that the control port ends in. */
export const CONTROL = 'control';

/**
 * All that QEMU can emulate, but for the promise that `rep movsb` is fast: emulated it goes byte by byte, and without the promise
 * the kernel clears and copies memory by eight bytes at a time.
 */
const EMULATED_CPU = 'max,erms=off,fsrm=off';

const KVM_SET = 1;
const FIRST_DISK_SET = 2;

export function vmmSockets(runtimeDir: string): VmmSockets {
  return { monitor: `${runtimeDir}/qmp.sock`, control: `${runtimeDir}/ctl.sock` };
}

/** The name by which QEMU opens the nth disk: its descriptor, duplicated, so no path and no mode is looked at. */
export function diskFile(index: number): string {
  return `/dev/fdset/${FIRST_DISK_SET + index}`;
}

/** What names the machine in the VMM's command line; found again by it. */
export function guestName(id: string): string {
  return `guest=${id}`;
}

export function qemuArguments(
  spec: MachineSpec,
  accelerator: Accelerator,
  fds: VmmDescriptors,
): string[] {
  return [
    ...identity(spec),
    ...confinement(),
    ...platform(spec, accelerator, fds),
    ...boot(spec, fds),
    ...devices(spec),
    ...lifecycle(),
  ];
}

function identity({ id }: MachineSpec): string[] {
  const uuid = [
    id.slice(0, 8),
    id.slice(8, 12),
    id.slice(12, 16),
    id.slice(16, 20),
    id.slice(20, 32),
  ];
  return ['-name', `${guestName(id)},process=a3s-${id.slice(0, 11)}`, '-uuid', uuid.join('-')];
}

function confinement(): string[] {
  return [
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-vga',
    'none',
  ];
}

function platform(spec: MachineSpec, accelerator: Accelerator, fds: VmmDescriptors): string[] {
  return [
    '-machine',
    'q35,memory-backend=memory,dump-guest-core=off,smbus=off,sata=off,vmport=off,usb=off',
    ...(accelerator === 'kvm'
      ? ['-accel', `kvm,device=/dev/fdset/${KVM_SET}`, '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', EMULATED_CPU]),
    ...addFd(fds.kvm, KVM_SET),
    ...fds.disks.flatMap((fd, index) => addFd(fd, FIRST_DISK_SET + index)),
    '-smp',
    `cpus=${spec.cpus},sockets=1,cores=${spec.cpus},threads=1`,
    '-m',
    `size=${spec.memoryBytes}B`,
    '-object',
    memory(spec),
  ];
}

/** Guest memory never lies on a disk. Device processes map it too where the box has shares, so then it is a memfd. */
function memory(spec: MachineSpec): string {
  const common = `id=memory,size=${spec.memoryBytes}B,dump=off,merge=off`;
  return spec.shares.length === 0
    ? `memory-backend-ram,${common},share=off`
    : `memory-backend-memfd,${common},share=on`;
}

function addFd(fd: number | undefined, set: number): string[] {
  return fd === undefined ? [] : ['-add-fd', `fd=${fd},set=${set}`];
}

function boot(spec: MachineSpec, fds: VmmDescriptors): string[] {
  return [
    '-kernel',
    `/proc/self/fd/${fds.kernel}`,
    '-initrd',
    `/proc/self/fd/${fds.initrd}`,
    '-append',
    spec.boot.commandLine.join(' '),
  ];
}

function devices(spec: MachineSpec): string[] {
  const { monitor, control } = vmmSockets(spec.runtimeDir);
  return [
    '-chardev',
    `ringbuf,id=${CONSOLE},size=${CONSOLE_BYTES}`,
    '-serial',
    `chardev:${CONSOLE}`,
    '-device',
    'virtio-rng-pci,bus=pcie.0,disable-legacy=on',
    '-device',
    'virtio-serial-pci,bus=pcie.0,disable-legacy=on,max_ports=2',
    '-chardev',
    `socket,id=${CONTROL},path=${optionValue(control)},server=on,wait=off`,
    '-device',
    `virtserialport,id=${CONTROL_PORT_ID},chardev=${CONTROL},name=${CONTROL_PORT}`,
    '-chardev',
    `socket,id=monitor,path=${optionValue(monitor)},server=on,wait=off`,
    '-mon',
    'chardev=monitor,mode=control',
    ...Array.from({ length: rootPorts(spec) }, (_, index) => [
      '-device',
      `pcie-root-port,id=rp${index},chassis=${index + 1},slot=${index + 1},bus=pcie.0`,
    ]).flat(),
  ];
}

/**
 * A guest that powers off, resets (a kernel panic does, with `panic=-1`) or triple-faults stops the machine and leaves
 * the VMM, since the console's last bytes live in it. Whoever holds the machine reads them and ends the VMM; when
 * nobody does, the next server.
 */
function lifecycle(): string[] {
  return ['-action', 'reboot=shutdown,shutdown=pause,panic=pause', '-S'];
}

/** QEMU's option syntax ends a value at a comma; two stand for one. */
function optionValue(value: string): string {
  return value.replaceAll(',', ',,');
}
