/**
 * The description of a microVM for the shim, as a pure function of the VM.
 *
 * The shim has the files of the box as open descriptors, and libkrun takes paths: it opens them
 * again, below `/proc/self/fd`.
 *
 * @module
 */
import type { ShimDescription } from '@a3s-box/krun/shim';
import { checkKrunSize, engineUnsupported, KRUN_DEVICES } from '../engine-name.ts';
import { passtSocket } from '../helpers/passt.ts';
import { shareSocket } from '../helpers/virtiofsd.ts';
import type { VmSpec } from '../vm/vm-spec.ts';

/** The vsock port of the control stream. */
export const CONTROL_VSOCK_PORT = 1024;

/** Descriptors of the shim, by number. */
export interface ShimFiles {
  readonly kernel: number;
  readonly initrd: number;
  readonly console: number;
  /** One per disk, in the spec's order. */
  readonly disks: readonly number[];
}

export function controlSocket(runtimeDir: string): string {
  return `${runtimeDir}/ctl.sock`;
}

/** @throws A3sError `engine-unsupported`, before anything is started */
export function checkSpec(spec: VmSpec): void {
  const refuse = (what: string, reason: string): never => {
    throw engineUnsupported('krun', what, reason);
  };
  if (spec.confidential !== undefined) {
    refuse('start a confidential microVM', 'starts no confidential boxes');
  }
  if (spec.template !== undefined || spec.fork !== undefined) {
    refuse('start a microVM from saved memory', 'saves no memory');
  }
  if ((spec.boot.architecture ?? 'amd64') !== 'amd64') {
    refuse('start a guest of arm64', 'boots this project’s kernel on x86-64 alone');
  }
  if (spec.nic?.tap !== undefined) {
    refuse('start a microVM with a tap device', 'has no network cards that lead to one');
  }
  if (spec.disks.some(({ backing }) => backing !== undefined)) {
    refuse('start a microVM on a disk with a snapshot', 'is given no files with others below');
  }
  checkKrunSize(spec);
  const devices = spec.disks.length + spec.shares.length + (spec.nic === undefined ? 0 : 1);
  if (devices > KRUN_DEVICES) {
    refuse(
      `start a microVM with ${spec.disks.length} disks, ${spec.shares.length} shares and ${spec.nic === undefined ? 'no' : 'one'} network card`,
      `has ${KRUN_DEVICES} places for them in all`,
    );
  }
}

/** @param library the path of libkrun */
export function describeVm(spec: VmSpec, library: string, files: ShimFiles): ShimDescription {
  const { runtimeDir, nic } = spec;
  return {
    version: 1,
    variant: 'krun',
    library,
    vcpus: spec.cpus,
    memoryMib: Math.ceil(spec.memoryBytes / 2 ** 20),
    boot: {
      kind: 'kernel',
      path: pathOf(files.kernel),
      format: 'elf',
      initrd: pathOf(files.initrd),
      commandLine: commandLine(spec).join(' '),
    },
    disks: spec.disks.map(({ serial, readonly }, index) => ({
      id: serial,
      path: pathOf(files.disks[index] ?? -1),
      format: 'raw',
      readonly,
    })),
    shares: spec.shares.map(({ tag }, index) => ({ tag, socket: shareSocket(runtimeDir, index) })),
    networkDevices:
      nic === undefined
        ? []
        : [{ kind: 'stream-path', path: passtSocket(runtimeDir), mac: nic.mac }],
    ports: [{ port: CONTROL_VSOCK_PORT, path: controlSocket(runtimeDir), listen: true }],
    tsi: [],
    console: { device: 'serial', file: files.console },
  };
}

/** libkrun appends its devices. */
function commandLine({ boot, cpus, disks }: VmSpec): readonly string[] {
  return [
    ...boot.commandLine,
    'pci=off',
    // Of those that the ACPI tables have.
    `nr_cpus=${cpus}`,
    // The guest sees serial numbers that libkrun makes of files, but disks in this order.
    ...(disks.length === 0 ? [] : [`a3s.disks=${disks.map(({ serial }) => serial).join(',')}`]),
  ];
}

function pathOf(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}
