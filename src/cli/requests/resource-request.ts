/**
 * The flags that limit a box, as the fields of Docker's API that they set. What is not given is
 * left out.
 *
 * @module
 */
import type { LimitFields } from '../../docker-api/containers/limits.ts';
import type { Update } from '../../docker-api/containers/update.ts';
import type { Flag } from '../flags/flag.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { LIMIT_FLAGS } from '../flags/resource-flags.ts';
import { UsageError } from '../usage-error.ts';
import {
  type DeviceWeight,
  parseByteRate,
  parseDeviceWeight,
  parseOperationRate,
} from '../values/device-rate.ts';
import { parseRestartPolicy } from '../values/restart-policy.ts';
import { parseBytes, parseCpus } from '../values/size.ts';
import { parseUlimit } from '../values/ulimit.ts';

/** What the server discards with Docker's warnings. */
interface DiscardedLimits {
  readonly BlkioWeight?: number | undefined;
  readonly BlkioWeightDevice?: readonly DeviceWeight[] | undefined;
  readonly KernelMemory?: number | undefined;
  readonly MemorySwappiness?: number | undefined;
  readonly OomKillDisable?: boolean | undefined;
}

/** What `update` can change too. @throws UsageError that names the flag */
export function limits(flags: FlagValues): Update & DiscardedLimits {
  return {
    BlkioWeight: flags.int('blkio-weight'),
    CpuPeriod: flags.int('cpu-period'),
    CpuQuota: flags.int('cpu-quota'),
    CpuShares: flags.int('cpu-shares'),
    CpusetCpus: flags.string('cpuset-cpus'),
    KernelMemory: flags.parsed('kernel-memory', parseBytes),
    Memory: flags.parsed('memory', parseBytes),
    MemoryReservation: flags.parsed('memory-reservation', parseBytes),
    MemorySwap: flags.parsed('memory-swap', parseSwap),
    NanoCpus: flags.parsed('cpus', parseCpus),
    PidsLimit: flags.int('pids-limit'),
    RestartPolicy: flags.parsed('restart', parseRestartPolicy),
  };
}

/** What a box is made with. @throws UsageError that names the flag */
export function createLimits(flags: FlagValues): Update & Partial<LimitFields> & DiscardedLimits {
  return {
    ...limits(flags),
    BlkioWeightDevice: given(flags.parsedList('blkio-weight-device', parseDeviceWeight)),
    BlkioDeviceReadBps: given(flags.parsedList('device-read-bps', parseByteRate)),
    BlkioDeviceReadIOps: given(flags.parsedList('device-read-iops', parseOperationRate)),
    BlkioDeviceWriteBps: given(flags.parsedList('device-write-bps', parseByteRate)),
    BlkioDeviceWriteIOps: given(flags.parsedList('device-write-iops', parseOperationRate)),
    MemorySwappiness: swappiness(flags.int('memory-swappiness')),
    OomKillDisable: flags.given('oom-kill-disable') ? flags.bool('oom-kill-disable') : undefined,
    Ulimits: given(flags.parsedList('ulimit', parseUlimit)),
  };
}

/** Whether any of those of `update` stands in the command line. */
export function givesLimits(flags: FlagValues): boolean {
  return LIMIT_FLAGS.some(({ name }: Flag) => flags.given(name));
}

/** -1 asks for nothing. @throws UsageError in Docker's words */
function swappiness(value: number | undefined): number | undefined {
  if (value === undefined || (value >= -1 && value <= 100)) return value;
  throw new UsageError(`invalid value: ${value}. Valid memory swappiness range is 0-100`);
}

function parseSwap(text: string): number {
  return text === '-1' ? -1 : parseBytes(text);
}

/** A list that nothing was given for is not sent. */
function given<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
