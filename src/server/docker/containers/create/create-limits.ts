/**
 * The limits in Docker's create and update documents.
 *
 * @module
 */
import { ULIMITS } from '@a3s-box/policies';
import type * as z from 'zod';
import { BOX_DISK, type Limits } from '../../../../boxes/record/limits.ts';
import type { LimitFields } from '../../../../docker-api/containers/limits.ts';
import { A3sError } from '../../../../errors.ts';
import { unsupported } from './unsupported-options.ts';

const RATES = {
  readBps: 'BlkioDeviceReadBps',
  writeBps: 'BlkioDeviceWriteBps',
  readIops: 'BlkioDeviceReadIOps',
  writeIops: 'BlkioDeviceWriteIOps',
} as const;

type Asked = z.output<typeof LimitFields>;

/** `0-3,8`, as the kernel lists processors. */
const CPUSET = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/;

/**
 * Whether the values fit each other and this host is checked where the box is made.
 *
 * @param where prefix of names in messages, such as `HostConfig.`
 * @throws A3sError `unsupported-option`, `invalid-argument`
 */
export function limitsOf(where: string, asked: Asked): Limits {
  const cpuset = asked.CpusetCpus.replaceAll(' ', '');
  if (cpuset !== '' && !CPUSET.test(cpuset)) {
    throw new A3sError('invalid-argument', `Invalid value ${asked.CpusetCpus} for cpuset cpus`);
  }
  return {
    memorySwapBytes: asked.MemorySwap,
    memoryReservationBytes: asked.MemoryReservation,
    pids: asked.PidsLimit,
    cpuShares: asked.CpuShares,
    cpuPeriodUs: asked.CpuPeriod,
    // A negative quota is Docker's other notation for no quota.
    cpuQuotaUs: Math.max(0, asked.CpuQuota),
    cpuset,
    ulimits: ulimitsOf(where, asked.Ulimits),
    disk: {
      readBps: rateOf(where, RATES.readBps, asked),
      writeBps: rateOf(where, RATES.writeBps, asked),
      readIops: rateOf(where, RATES.readIops, asked),
      writeIops: rateOf(where, RATES.writeIops, asked),
    },
  };
}

/**
 * Docker's words for a host whose kernel does not count swap: the same holds for a guest, which has
 * none.
 */
const NO_SWAP =
  'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.';

/**
 * Takes a limit of swap away, as Docker does where the kernel has no such limit. A limit that is no
 * larger than that of the memory asks for no swap, and one that Docker refuses stays.
 *
 * @param memoryBytes the limit of the memory; 0 is none
 * @param warnings receives Docker's warning
 */
export function withoutSwap(limits: Limits, memoryBytes: number, warnings: string[]): Limits {
  if (memoryBytes <= 0 || limits.memorySwapBytes <= memoryBytes) return limits;
  warnings.push(NO_SWAP);
  return { ...limits, memorySwapBytes: -1 };
}

function ulimitsOf(where: string, asked: Asked['Ulimits']): Limits['ulimits'] {
  const seen = new Set<string>();
  return asked.map(({ Name, Soft: soft, Hard: hard }) => {
    const name = ULIMITS.find((known) => known === Name);
    if (name === undefined) {
      throw new A3sError('invalid-argument', `${where}Ulimits: invalid ulimit type: ${Name}`, {
        remedy: `It is one of ${ULIMITS.join(', ')}.`,
      });
    }
    if (seen.has(name)) {
      throw new A3sError('invalid-argument', `${where}Ulimits: ${name} is there twice`);
    }
    seen.add(name);
    if (hard !== -1 && (soft === -1 || soft > hard)) {
      throw new A3sError(
        'invalid-argument',
        `${where}Ulimits: ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
    }
    return { name, soft, hard };
  });
}

/** A box has one writable disk, so there is one rate of each kind. */
function rateOf(where: string, field: (typeof RATES)[keyof typeof RATES], asked: Asked) {
  const [first, second] = asked[field];
  const other = asked[field].find(({ Path }) => Path !== BOX_DISK);
  if (other !== undefined) {
    const why = `${other.Path} is not ${BOX_DISK}, the one disk that a box writes to`;
    throw unsupported(`${where}${field}`, why);
  }
  if (second !== undefined) {
    throw new A3sError('invalid-argument', `${where}${field}: ${BOX_DISK} is there twice`);
  }
  return first?.Rate ?? 0;
}
