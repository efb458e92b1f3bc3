/**
 * How much a box gets, and how large its machine must be for that.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

const MIB = 1024 * 1024;

/** What a guest's kernel and agent need beside the box's own memory. */
export const GUEST_OVERHEAD = 96 * MIB;
/** Of that, what describes a page: a 64th of the memory it describes. There is room for the pages of so much. */
const DESCRIBED = 512 * MIB;
const DESCRIPTION = 64;
/** Of a box that asks for nothing: a machine of 512 MiB. */
const DEFAULT_MEMORY = 512 * MIB - GUEST_OVERHEAD;
/** Docker's bound. */
const MIN_MEMORY = 6 * MIB;
/** QEMU and the kernel want whole pages of 2 MiB. */
const STEP = 2 * MIB;
const NANO = 1_000_000_000;
const MIN_NANO_CPUS = NANO / 100;

/** @throws A3sError `invalid-argument`, before anything is changed */
export function checkResources(
  asked: { memoryBytes: number; nanoCpus: number },
  host: { cpus: number; memoryBytes: number },
): void {
  if (asked.memoryBytes !== 0 && asked.memoryBytes < MIN_MEMORY) {
    throw new A3sError('invalid-argument', 'Minimum memory limit allowed is 6MB');
  }
  const machine = machineMemory(asked.memoryBytes);
  if (machine > host.memoryBytes) {
    throw new A3sError(
      'invalid-argument',
      `Cannot give the box ${mib(asked.memoryBytes)} MiB: its machine would need ${mib(machine)} MiB, and this host has ${mib(host.memoryBytes)} MiB`,
      { remedy: 'Ask for less memory.' },
    );
  }
  if (asked.nanoCpus === 0) return;
  if (asked.nanoCpus < MIN_NANO_CPUS || asked.nanoCpus > host.cpus * NANO) {
    throw new A3sError(
      'invalid-argument',
      `Range of CPUs is from 0.01 to ${host.cpus}.00, as there are only ${host.cpus} CPUs available`,
    );
  }
}

/** The limit of the box's processes. */
export function boxMemory(asked: number): number {
  return asked === 0 ? DEFAULT_MEMORY : asked;
}

/** The size of the machine: the box's memory and the guest's overhead, in whole steps. */
export function machineMemory(asked: number): number {
  const bytes = boxMemory(asked);
  const descriptions = Math.max(0, bytes - DESCRIBED) / DESCRIPTION;
  return Math.ceil((bytes + GUEST_OVERHEAD + descriptions) / STEP) * STEP;
}

/** Virtual CPUs: one, or as many as the asked share spreads over. */
export function machineCpus(nanoCpus: number): number {
  return Math.max(1, Math.ceil(nanoCpus / NANO));
}

function mib(bytes: number): number {
  return Math.ceil(bytes / MIB);
}
