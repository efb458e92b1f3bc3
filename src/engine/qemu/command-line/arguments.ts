/**
 * QEMU's command line, as a pure function of the VM.
 *
 * It has only what every VM of a shape has, and the slots of templates. Everything else that
 * belongs to one box (disks, network, shares) is attached through the monitor, see `devices.ts`.
 *
 * @module
 */
import { CONTROL_PORT } from '../../control-port-name.ts';
import type { GuestArchitecture } from '../../vm/guest-boot.ts';
import type { Accelerator, VmSpec } from '../../vm/vm-spec.ts';
import { backingSet, diskSet, KVM_SET, STATE_SET, setFile } from './descriptor-sets.ts';
import { forkDevices, forkMemory } from './fork-devices.ts';
import { hasSharedRam } from './shared-ram.ts';
import { rootPorts, templatePorts } from './slots.ts';
import { savedDevices, templateDevices } from './template-devices.ts';

/**
 * How a VM starts: by booting; by booting to be saved as a template; as a copy of a template; as a
 * fork of a VM that ran.
 */
export type StartKind = 'boot' | 'save' | 'template' | 'fork';

/** Descriptors that QEMU inherits, by number. */
export interface VmmDescriptors {
  readonly kernel: number;
  /** Absent where a VM starts from saved RAM. */
  readonly initrd: number | undefined;
  /** The file that RAM is mapped from, where it is one. */
  readonly ram?: number | undefined;
  /** The file with the devices' state, to be written or read. */
  readonly state?: number | undefined;
  /** `/dev/kvm`, opened for reading and writing; only with that accelerator. */
  readonly kvm: number | undefined;
  /** Listening sockets: the monitor answers on one, and the other leads to the control port. */
  readonly monitor: number;
  readonly control: number;
  /** One per disk, in the spec's order. */
  readonly disks: readonly number[];
  /** For each disk, the descriptors of the images below it. */
  readonly backing?: readonly (readonly number[])[];
}

/** Sockets of one VM, in its runtime directory. */
export interface VmmSockets {
  readonly monitor: string;
  readonly control: string;
  /** The socket of a confidential VM whose secure processor is simulated. */
  readonly processor: string;
}

/** The port's id in the monitor's events, which report when the guest opens it. */
export const CONTROL_PORT_ID = 'control-port';
/** The guest's console is a ring of this many bytes in the VMM. */
export const CONSOLE_BYTES = 64 * 1024;
/** Chardev that the console ends in. */
export const CONSOLE = 'console';

/** Chardev that the control port ends in. */
export const CONTROL = 'control';

/**
 * Everything that QEMU can emulate, by architecture.
 *
 * amd64 is without the flag that `rep movsb` is fast. Emulated, it copies byte by byte, and without
 * the flag the kernel clears and copies memory by eight bytes at a time. arm64 is without pointer
 * authentication: QEMU would compute a cipher at every call and return of a function.
 */
const EMULATED_CPUS: Readonly<Record<GuestArchitecture, string>> = {
  amd64: 'max,erms=off,fsrm=off',
  arm64: 'max,pauth=off',
};

/**
 * The machine without what no guest uses. QEMU would emulate the ticks of an HPET, 500 a second,
 * that the kernel no longer uses. virt describes itself by a device tree: tables of
 * ACPI would need firmware. It resets and powers off by PSCI.
 */
const MACHINES: Readonly<Record<GuestArchitecture, string>> = {
  amd64:
    'q35,memory-backend=memory,dump-guest-core=off,smbus=off,sata=off,vmport=off,usb=off,hpet=off',
  arm64: 'virt,gic-version=3,memory-backend=memory,dump-guest-core=off,usb=off',
};

export function vmmSockets(runtimeDir: string): VmmSockets {
  return {
    monitor: `${runtimeDir}/qmp.sock`,
    control: `${runtimeDir}/ctl.sock`,
    processor: `${runtimeDir}/sp.sock`,
  };
}

/** The name of the VM in the VMM's command line, by which the VM is found again. */
export function guestName(id: string): string {
  return `guest=${id}`;
}

/** The guest's CPU. */
export function cpuModel(
  accelerator: Accelerator,
  architecture: GuestArchitecture = 'amd64',
): string {
  return accelerator === 'kvm' ? 'host' : EMULATED_CPUS[architecture];
}

/** The input of a command line. */
export interface VmmPlan {
  readonly spec: VmSpec;
  readonly accelerator: Accelerator;
  readonly start: StartKind;
  /**
   * How far the RAM of VMs from templates can grow, in bytes. It is the same for all VMs of one
   * template.
   */
  readonly growthBytes: number;
  /** The rate of the host's time stamp counter, where it is known. */
  readonly tscKhz?: number | undefined;
}

export function qemuArguments(plan: VmmPlan, fds: VmmDescriptors): string[] {
  return [
    ...identity(plan.spec),
    ...confinement(),
    ...platform(plan, fds),
    ...memory(plan, fds),
    ...boot(plan, fds),
    ...devices(plan, fds),
    ...deviceArguments(plan),
    ...lifecycle(),
  ];
}

function deviceArguments({ spec, start }: VmmPlan): string[] {
  if (start === 'boot') return [];
  if (start === 'save') return savedDevices(spec);
  return spec.fork === undefined ? templateDevices(spec) : forkDevices(spec, spec.fork);
}

export function identity({ id, runtimeDir }: VmSpec): string[] {
  const uuid = [
    id.slice(0, 8),
    id.slice(8, 12),
    id.slice(12, 16),
    id.slice(16, 20),
    id.slice(20, 32),
  ];
  return [
    ...['-name', `${guestName(id)},process=a3s-${id.slice(0, 11)}`, '-uuid', uuid.join('-')],
    // Processes of a VM are found by a path in its runtime directory, and QEMU opens none there.
    // Nothing refers to this object.
    ...['-object', `authz-simple,id=place,identity=${optionValue(vmmSockets(runtimeDir).control)}`],
  ];
}

export function confinement(): string[] {
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

function platform({ spec, accelerator }: VmmPlan, fds: VmmDescriptors): string[] {
  const { architecture = 'amd64' } = spec.boot;
  return [
    '-machine',
    MACHINES[architecture],
    ...acceleration(accelerator),
    '-cpu',
    cpuModel(accelerator, architecture),
    ...addFd(fds.kvm, KVM_SET),
    ...fds.disks.flatMap((fd, index) => addFd(fd, diskSet(index))),
    ...(fds.backing ?? []).flatMap((below, disk) =>
      below.flatMap((fd, n) => addFd(fd, backingSet(disk, n))),
    ),
    ...processors(spec),
  ];
}

export function acceleration(accelerator: Accelerator): string[] {
  return accelerator === 'kvm'
    ? ['-accel', `kvm,device=${setFile(KVM_SET)}`]
    : ['-accel', 'tcg,thread=multi'];
}

export function processors({ cpus }: VmSpec): string[] {
  return ['-smp', `cpus=${cpus},sockets=1,cores=${cpus},threads=1`];
}

/**
 * Guest memory never lies on a disk. Where the box has shares, device processes map it too, so then
 * it is a memfd.
 */
function memory({ spec, start, growthBytes }: VmmPlan, fds: VmmDescriptors): string[] {
  if (start === 'boot') {
    const common = `id=memory,size=${spec.memoryBytes}B,dump=off,merge=off`;
    const backend =
      spec.shares.length === 0
        ? `memory-backend-ram,${common},share=off`
        : `memory-backend-memfd,${common},share=on`;
    return ['-m', `size=${spec.memoryBytes}B`, '-object', backend];
  }
  if (spec.fork !== undefined) return forkMemory(spec.fork, growthBytes, fds.ram);
  const size = spec.template?.memoryBytes ?? spec.memoryBytes;
  // Where the RAM is shared with device processes it is a copy of its own. Otherwise it is the
  // template's, and only pages that are written get copied.
  const access =
    start === 'save' || hasSharedRam(spec) ? 'share=on' : 'share=off,readonly=on,rom=off';
  return [
    '-m',
    `size=${size}B,slots=1,maxmem=${growthBytes}B`,
    '-object',
    `memory-backend-file,id=memory,size=${size}B,mem-path=/proc/self/fd/${fds.ram},${access},dump=off,merge=off`,
  ];
}

export function addFd(fd: number | undefined, set: number): string[] {
  return fd === undefined ? [] : ['-add-fd', `fd=${fd},set=${set}`];
}

/**
 * A VM that starts from saved RAM has its kernel there already. The stub that replaces it here
 * never runs.
 */
function boot(plan: VmmPlan, fds: VmmDescriptors): string[] {
  const { spec, start } = plan;
  const kernel = ['-kernel', `/proc/self/fd/${fds.kernel}`];
  if (start === 'template' || start === 'fork') {
    return [...kernel, ...addFd(fds.state, STATE_SET), '-incoming', 'defer'];
  }
  return [
    ...kernel,
    '-initrd',
    `/proc/self/fd/${fds.initrd}`,
    '-append',
    [...counterRate(plan), ...spec.boot.commandLine].join(' '),
    ...addFd(fds.state, STATE_SET),
  ];
}

/**
 * The kernel need not measure the counter then. On a busy host an emulated processor may stand
 * still while the kernel measures, and its clock would be many times too fast. KVM tells the guest.
 */
function counterRate({ spec, accelerator, tscKhz }: VmmPlan): string[] {
  // The counter of arm64 says its rate itself.
  if (spec.boot.architecture === 'arm64') return [];
  return accelerator === 'kvm' || tscKhz === undefined ? [] : [`tsc_early_khz=${tscKhz}`];
}

function devices({ spec, start }: VmmPlan, fds: VmmDescriptors): string[] {
  const ownPorts = start === 'boot' || spec.fork?.arrangement === 'boot';
  const ports = ownPorts ? rootPorts(spec) : templatePorts(spec);
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
    listeningSocket(CONTROL, fds.control),
    '-device',
    `virtserialport,id=${CONTROL_PORT_ID},chardev=${CONTROL},name=${CONTROL_PORT}`,
    ...monitorArguments(fds.monitor),
    ...Array.from({ length: ports }, (_, index) => [
      '-device',
      `pcie-root-port,id=rp${index},chassis=${index + 1},slot=${index + 1},bus=pcie.0`,
    ]).flat(),
  ];
}

export function monitorArguments(fd: number): string[] {
  return ['-chardev', listeningSocket('monitor', fd), '-mon', 'chardev=monitor,mode=control'];
}

/** QEMU makes no socket itself: it can only read its runtime directory. */
export function listeningSocket(id: string, fd: number): string {
  return `socket,id=${id},fd=${fd},server=on,wait=off`;
}

/**
 * A guest that powers off, resets (a kernel panic does, with `panic=-1`) or triple-faults stops the
 * VM and leaves the VMM, which holds the console's last bytes. The server that holds the VM reads
 * them and ends the VMM. When no server runs, the next one does.
 */
export function lifecycle(): string[] {
  return ['-action', 'reboot=shutdown,shutdown=pause,panic=pause', '-S'];
}

/** QEMU's option syntax ends a value at a comma, so a comma is written twice. */
function optionValue(value: string): string {
  return value.replaceAll(',', ',,');
}
