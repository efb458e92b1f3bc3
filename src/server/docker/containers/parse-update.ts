/**
 * Turns Docker's update document into a change of a box. As in Docker, a value that asks for
 * nothing changes nothing.
 *
 * @module
 */
import type * as z from 'zod';
import type { UpdateRequest } from '../../../boxes/verbs/update.ts';
import type { RestartPolicy } from '../../../docker-api/containers/restart-policy.ts';
import { Update } from '../../../docker-api/containers/update.ts';
import { A3sError } from '../../../errors.ts';
import { parseRequest } from '../../http/parse.ts';
import { fieldNames, goDocument, isZero } from '../go-document.ts';
import { limitsOf, withoutSwap } from './create/create-limits.ts';
import { restartPolicy } from './create/create-restart.ts';
import { DISCARDED_LIMITS, discard, ignoredWarnings } from './create/unsupported-options.ts';

export const UPDATE_KEYS = Object.keys(Update.shape);

const HOST_CGROUP = 'a box has control groups in its guest, and none on the host';
const REAL_TIME = 'the guest has no real-time scheduling of groups';
const NUMA = 'a guest has one memory node';
const DEVICE = 'devices are given at create';
const WINDOWS = 'it is an option of Windows containers';

/** Fields that may be present only with a value that asks for nothing, and why. */
export const NOT_UPDATED: ReadonlyMap<string, string> = new Map([
  ['CgroupParent', HOST_CGROUP],
  ['CpuRealtimePeriod', REAL_TIME],
  ['CpuRealtimeRuntime', REAL_TIME],
  ['CpusetMems', NUMA],
  ['Devices', DEVICE],
  ['DeviceCgroupRules', DEVICE],
  ['DeviceRequests', DEVICE],
  ['Ulimits', 'processes that run keep theirs: they are given at create'],
  ['CpuCount', WINDOWS],
  ['IOMaximumIOps', WINDOWS],
  ['IOMaximumBandwidth', WINDOWS],
]);

const nameOf = fieldNames([
  ...UPDATE_KEYS,
  ...NOT_UPDATED.keys(),
  ...Object.keys(DISCARDED_LIMITS),
]);

export interface ParsedUpdate {
  readonly request: UpdateRequest;
  readonly warnings: readonly string[];
}

/**
 * @throws A3sError `unsupported-option` with the option's name, or `invalid-argument`; nothing was
 * changed
 */
export function parseUpdate(body: unknown): ParsedUpdate {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new A3sError('invalid-argument', 'Invalid request: the body must be an object');
  }
  const ignored: string[] = [];
  const discarded: string[] = [];
  const given = Object.entries(body).flatMap(([key, value]): [string, unknown][] => {
    const name = nameOf(key);
    if (name === undefined) {
      if (!isZero(value)) throw unsupported(key, 'it is not known');
      ignored.push(key.slice(0, 64));
      return [];
    }
    // A `PidsLimit` of 0 makes the number of processes unlimited again. Only null changes nothing.
    if (isZero(value) && !(name === 'PidsLimit' && value === 0)) return [];
    const why = NOT_UPDATED.get(name);
    if (why !== undefined) throw unsupported(name, why);
    const lacking = DISCARDED_LIMITS[name];
    if (lacking?.discarded === undefined) return [[name, value]];
    if (!lacking.neutral(value)) discarded.push(discard(name, value, lacking.discarded));
    return [];
  });
  const request = requestOf(given, ignored, discarded);
  return { request, warnings: [...discarded, ...ignoredWarnings(ignored)] };
}

function requestOf(
  given: readonly (readonly [string, unknown])[],
  ignored: string[],
  discarded: string[],
): UpdateRequest {
  const asked = parseRequest(Update, goDocument(Update, Object.fromEntries(given), ignored));
  const names = new Set(given.map(([key]) => key));
  const limits = withoutSwap(limitsOf('', { ...asked, Ulimits: [] }), asked.Memory, discarded);
  const { disk } = limits;
  const when = <T>(name: keyof typeof asked, value: T): T | undefined =>
    names.has(name) ? value : undefined;
  const policy = asked.RestartPolicy;
  return {
    memoryBytes: when('Memory', asked.Memory),
    nanoCpus: when('NanoCpus', asked.NanoCpus),
    limits: {
      memorySwapBytes: when('MemorySwap', limits.memorySwapBytes),
      memoryReservationBytes: when('MemoryReservation', limits.memoryReservationBytes),
      pids: when('PidsLimit', limits.pids),
      cpuShares: when('CpuShares', limits.cpuShares),
      cpuPeriodUs: when('CpuPeriod', limits.cpuPeriodUs),
      cpuQuotaUs: when('CpuQuota', limits.cpuQuotaUs),
      cpuset: when('CpusetCpus', limits.cpuset),
    },
    disk: {
      readBps: when('BlkioDeviceReadBps', disk.readBps),
      writeBps: when('BlkioDeviceWriteBps', disk.writeBps),
      readIops: when('BlkioDeviceReadIOps', disk.readIops),
      writeIops: when('BlkioDeviceWriteIOps', disk.writeIops),
    },
    restart: asksForPolicy(policy) ? restartPolicy(policy) : undefined,
  };
}

function asksForPolicy(policy: z.output<typeof RestartPolicy> | undefined): boolean {
  return policy !== undefined && (policy.Name !== '' || policy.MaximumRetryCount !== 0);
}

function unsupported(name: string, why: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot update the box: ${name.slice(0, 64)} is not supported: ${why}`,
    { remedy: 'Leave the option out.' },
  );
}
