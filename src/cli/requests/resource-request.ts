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
import { parseByteRate, parseOperationRate } from '../values/device-rate.ts';
import { parseRestartPolicy } from '../values/restart-policy.ts';
import { parseBytes, parseCpus } from '../values/size.ts';
import { parseUlimit } from '../values/ulimit.ts';

/** What `update` can change too. @throws UsageError that names the flag */
export function limits(flags: FlagValues): Update {
  return {
    CpuPeriod: flags.int('cpu-period'),
    CpuQuota: flags.int('cpu-quota'),
    CpuShares: flags.int('cpu-shares'),
    CpusetCpus: flags.string('cpuset-cpus'),
    Memory: flags.parsed('memory', parseBytes),
    MemoryReservation: flags.parsed('memory-reservation', parseBytes),
    MemorySwap: flags.parsed('memory-swap', parseSwap),
    NanoCpus: flags.parsed('cpus', parseCpus),
    PidsLimit: flags.int('pids-limit'),
    RestartPolicy: flags.parsed('restart', parseRestartPolicy),
  };
}

/** What a box is made with. @throws UsageError that names the flag */
export function createLimits(flags: FlagValues): Update & Partial<LimitFields> {
  return {
    ...limits(flags),
    BlkioDeviceReadBps: given(flags.parsedList('device-read-bps', parseByteRate)),
    BlkioDeviceReadIOps: given(flags.parsedList('device-read-iops', parseOperationRate)),
    BlkioDeviceWriteBps: given(flags.parsedList('device-write-bps', parseByteRate)),
    BlkioDeviceWriteIOps: given(flags.parsedList('device-write-iops', parseOperationRate)),
    Ulimits: given(flags.parsedList('ulimit', parseUlimit)),
  };
}

/** Whether any of those of `update` stands in the command line. */
export function givesLimits(flags: FlagValues): boolean {
  return LIMIT_FLAGS.some(({ name }: Flag) => flags.given(name));
}

function parseSwap(text: string): number {
  return text === '-1' ? -1 : parseBytes(text);
}

/** A list that nothing was given for is not sent. */
function given<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
