/**
 * How much of each resource a box gets, and how large its microVM must be for that.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { Resources } from '@a3s-box/policies';
import type { HostLimits } from '../../engine/vm/host-limits.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { Limits } from '../record/limits.ts';
import { parseCpuset } from './cpuset.ts';

/** The fields of a definition or of a request that say how much. */
export type AskedResources = Pick<BoxDefinition, 'memoryBytes' | 'nanoCpus' | 'limits'>;

const MIB = 1024 * 1024;

/** What a guest's kernel and agent need beside the box's own memory. */
export const GUEST_OVERHEAD = 96 * MIB;
/**
 * The kernel's descriptions of pages take a 64th of the memory. `GUEST_OVERHEAD` has room for those
 * of this much memory.
 */
const DESCRIBED = 512 * MIB;
const DESCRIPTION = 64;
/** The memory of a box that asks for none: its microVM has 512 MiB. */
const DEFAULT_MEMORY = 512 * MIB - GUEST_OVERHEAD;
/** QEMU and the kernel want whole pages of 2 MiB. */
const STEP = 2 * MIB;
export const NANO = 1_000_000_000;
/** The period of a quota that is given without one, in microseconds. */
const DEFAULT_PERIOD = 100_000;
/** The shares of a box that asks for none. */
const DEFAULT_SHARES = 1024;
/** The kernel's scheduler gives a tenth more or less of a processor for each step. */
const NICE_FACTOR = 1.25;

/** The limit of the box's processes. */
export function boxMemory(asked: number): number {
  return asked === 0 ? DEFAULT_MEMORY : asked;
}

/** The size of the VM: the box's memory and the guest's overhead, in whole steps. */
export function vmMemory(asked: number): number {
  const bytes = boxMemory(asked);
  const descriptions = Math.max(0, bytes - DESCRIBED) / DESCRIPTION;
  return Math.ceil((bytes + GUEST_OVERHEAD + descriptions) / STEP) * STEP;
}

/** CPU time in billionths of one CPU, however it was asked for; 0: nothing was. */
export function askedCpus({
  nanoCpus,
  limits: { cpuPeriodUs, cpuQuotaUs },
}: Pick<AskedResources, 'nanoCpus' | 'limits'>): number {
  if (nanoCpus > 0 || cpuQuotaUs === 0) return nanoCpus;
  return Math.ceil((cpuQuotaUs * NANO) / (cpuPeriodUs === 0 ? DEFAULT_PERIOD : cpuPeriodUs));
}

/** Virtual CPUs: as many as the asked CPU time needs, at least one. */
export function vmCpus(nanoCpus: number): number {
  return Math.max(1, Math.ceil(nanoCpus / NANO));
}

/**
 * The guest's limits for the box's processes. What was not asked for is left out, since the text of
 * a launch spec depends on it.
 */
export function resourcesOf(asked: AskedResources): Resources {
  const { memoryReservationBytes, pids, cpuShares, ulimits } = asked.limits;
  const nano = askedCpus(asked);
  return {
    memoryBytes: boxMemory(asked.memoryBytes),
    ...(nano === 0 ? {} : { cpuMillis: Math.ceil(nano / 1_000_000) }),
    ...(pids > 0 ? { pids } : {}),
    ...(memoryReservationBytes > 0 ? { memoryReservationBytes } : {}),
    ...(cpuShares > 0 ? { cpuWeight: cpuWeight(cpuShares) } : {}),
    ...(ulimits.length > 0 ? { ulimits: [...ulimits] } : {}),
  };
}

/** Maps the range 2 to 262144 linearly to the range 1 to 10000, as runc does. */
function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** The host's limits for the processes of the microVM; undefined: nothing was asked for. */
export function hostLimitsOf(asked: Pick<AskedResources, 'limits'>): HostLimits | undefined {
  const limits = askedHostLimits(asked);
  const { processors, nice, disk } = limits;
  const any =
    processors !== undefined || nice !== undefined || Object.values(disk).some((rate) => rate > 0);
  return any ? limits : undefined;
}

/**
 * The same, also where nothing was asked for. Rates of 0 mean no limit. Processors and nice value
 * that were not asked for stay as the server's own, which its administrator may have limited.
 */
export function askedHostLimits({ limits }: Pick<AskedResources, 'limits'>): HostLimits {
  const { cpuset, cpuShares, disk } = limits;
  return {
    processors: cpuset === '' ? undefined : parseCpuset(cpuset),
    nice: cpuShares === 0 ? undefined : niceOf(cpuShares),
    disk,
  };
}

/** The limits that change; undefined: none does. */
export function changedHostLimits(before: Limits, after: Limits): HostLimits | undefined {
  const { cpuset, cpuShares, disk } = after;
  const processors = cpuset === before.cpuset ? undefined : parseCpuset(cpuset);
  const nice = cpuShares === before.cpuShares ? undefined : niceOf(cpuShares);
  const same = isDeepStrictEqual(before.disk, disk);
  return processors === undefined && nice === undefined && same
    ? undefined
    : { processors, nice, disk };
}

/** The nice value at which the host's scheduler gives a process such a share beside others. */
export function niceOf(shares: number): number {
  const steps = Math.log(DEFAULT_SHARES / (shares === 0 ? DEFAULT_SHARES : shares));
  return Math.max(-20, Math.min(19, Math.round(steps / Math.log(NICE_FACTOR)))) + 0;
}
