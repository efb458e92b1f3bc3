/**
 * The metrics of a container, under the names and with the units that cAdvisor has for them.
 *
 * cAdvisor has more, for which no guest counts: inodes, open files and sockets.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import type { Stats } from '../../guest/protocol.ts';
import type { ContainerUse } from '../../pods/read-stats.ts';
import { MetricType } from '../api/enums.ts';
import { workingSetOf } from './usage.ts';

/** A container whose guest has counted. */
export interface CountedUse extends ContainerUse {
  readonly stats: Stats;
}

/** One value of a metric, by the labels that it has beside those of its container. */
export interface Sample {
  readonly labels: readonly string[];
  readonly value: number;
}

export interface ContainerMetric {
  readonly help: string;
  readonly type: number;
  /** Names of labels beside those of the container. */
  readonly labels: readonly string[];
  read(use: CountedUse): readonly Sample[];
}

type Detail = NonNullable<Stats['detail']>;
type BlockDevice = Detail['io'][number];

const MICROSECONDS = 1_000_000;
const NANOSECONDS = 1_000_000_000n;
/** The kernel's, where nothing was asked for. */
const PERIOD_US = 100_000;
const SHARES = 1024;

const { COUNTER, GAUGE } = MetricType;

function metric(type: number, help: string, read: (use: CountedUse) => number): ContainerMetric {
  return { type, help, labels: [], read: (use) => [{ labels: [], value: read(use) }] };
}

const counter = (help: string, read: (use: CountedUse) => number) => metric(COUNTER, help, read);
const gauge = (help: string, read: (use: CountedUse) => number) => metric(GAUGE, help, read);

/** Values of CRI are whole numbers: seconds lose their fractions. */
function seconds(microseconds: number): number {
  return Math.floor(microseconds / MICROSECONDS);
}

/** A line of `memory.stat`. */
function memory(name: string): (use: CountedUse) => number {
  return ({ stats }) => stats.detail?.memory[name] ?? 0;
}

function ofDevices(help: string, read: (device: BlockDevice) => number): ContainerMetric {
  return {
    ...{ type: COUNTER, help, labels: ['device'] },
    read: ({ stats }) =>
      (stats.detail?.io ?? []).map((device) => ({ labels: [device.device], value: read(device) })),
  };
}

const PROCESSOR: Readonly<Record<string, ContainerMetric>> = {
  container_cpu_usage_seconds_total: counter('CPU time, in seconds', ({ stats }) =>
    seconds(stats.cpuUsec),
  ),
  container_cpu_user_seconds_total: counter('CPU time of user mode, in seconds', ({ stats }) =>
    seconds(stats.detail?.userUsec ?? 0),
  ),
  container_cpu_system_seconds_total: counter('CPU time of the kernel, in seconds', ({ stats }) =>
    seconds(stats.detail?.kernelUsec ?? 0),
  ),
  container_cpu_cfs_periods_total: counter(
    'Periods in which the limit of CPU time was looked at',
    ({ stats }) => stats.detail?.throttled.periods ?? 0,
  ),
  container_cpu_cfs_throttled_periods_total: counter(
    'Periods in which the limit of CPU time was reached',
    ({ stats }) => stats.detail?.throttled.throttledPeriods ?? 0,
  ),
  container_cpu_cfs_throttled_seconds_total: counter(
    'Time for which the limit of CPU time has held processes up, in seconds',
    ({ stats }) => seconds(stats.detail?.throttled.throttledUsec ?? 0),
  ),
  container_spec_cpu_period: gauge(
    'The period of the limit of CPU time, in microseconds',
    ({ container }) => container.definition.askedLimits.cpuPeriod || PERIOD_US,
  ),
  container_spec_cpu_quota: {
    ...{ help: 'CPU time in a period, in microseconds; none without a limit', type: GAUGE },
    labels: [],
    read: ({ container }) => {
      const { cpuQuota } = container.definition.askedLimits;
      return cpuQuota > 0 ? [{ labels: [], value: cpuQuota }] : [];
    },
  },
  container_spec_cpu_shares: gauge(
    'The weight of CPU time beside other containers',
    ({ container }) => container.definition.askedLimits.cpuShares || SHARES,
  ),
};

const MEMORY: Readonly<Record<string, ContainerMetric>> = {
  container_memory_usage_bytes: gauge(
    'Memory with all caches, in bytes',
    ({ stats }) => stats.memoryBytes,
  ),
  container_memory_working_set_bytes: gauge(
    'Memory that cannot be dropped at once, in bytes',
    ({ stats }) => workingSetOf(stats),
  ),
  container_memory_max_usage_bytes: gauge(
    'The most memory so far, in bytes',
    ({ stats }) => stats.memoryPeakBytes,
  ),
  container_memory_rss: gauge('Anonymous memory, in bytes', memory('anon')),
  container_memory_cache: gauge('Cached files, in bytes', memory('file')),
  container_memory_mapped_file: gauge('Files that are mapped, in bytes', memory('file_mapped')),
  container_memory_kernel_usage: gauge('Memory of the kernel, in bytes', memory('kernel')),
  container_memory_swap: gauge('Swap, in bytes: no guest has any', () => 0),
  container_memory_failures_total: {
    ...{ help: 'Page faults', type: COUNTER, labels: ['failure_type', 'scope'] },
    // What the guest counts has the control groups below the container's in it.
    read: (use) => [
      { labels: ['pgfault', 'hierarchy'], value: memory('pgfault')(use) },
      { labels: ['pgmajfault', 'hierarchy'], value: memory('pgmajfault')(use) },
    ],
  },
  container_oom_events_total: counter(
    'Processes that were killed for want of memory',
    ({ stats }) => stats.detail?.oomKills ?? 0,
  ),
  container_spec_memory_limit_bytes: gauge(
    'The limit of memory in bytes; 0: none',
    ({ stats }) => stats.detail?.memoryLimitBytes ?? 0,
  ),
  container_spec_memory_swap_limit_bytes: gauge(
    'The limit of memory and swap together as asked for, in bytes; 0: none',
    ({ container }) => Math.max(0, container.definition.askedLimits.memorySwapLimitInBytes),
  ),
};

const DISK: Readonly<Record<string, ContainerMetric>> = {
  container_blkio_device_usage_total: {
    ...{ help: 'Bytes by device and operation', type: COUNTER },
    labels: ['device', 'major', 'minor', 'operation'],
    read: ({ stats }) => (stats.detail?.io ?? []).flatMap(usageOf),
  },
  container_fs_reads_bytes_total: ofDevices('Bytes read', ({ readBytes }) => readBytes),
  container_fs_reads_total: ofDevices('Reads', ({ reads }) => reads),
  container_fs_writes_bytes_total: ofDevices('Bytes written', ({ writtenBytes }) => writtenBytes),
  container_fs_writes_total: ofDevices('Writes', ({ writes }) => writes),
  container_fs_usage_bytes: gauge(
    'What the writable layer takes on the node, in bytes',
    ({ diskBytes }) => diskBytes,
  ),
};

function usageOf({ device, readBytes, writtenBytes }: BlockDevice): readonly Sample[] {
  const [major = '', minor = ''] = device.split(':');
  return [
    { labels: [device, major, minor, 'Read'], value: readBytes },
    { labels: [device, major, minor, 'Write'], value: writtenBytes },
  ];
}

const PROCESSES: Readonly<Record<string, ContainerMetric>> = {
  container_processes: gauge('Processes, and threads beside the first', ({ stats }) => stats.pids),
  container_threads: gauge('Threads of all processes', ({ stats }) => stats.pids),
  container_threads_max: gauge(
    'The limit of threads; 0: none',
    ({ stats }) => stats.detail?.pidsLimit ?? 0,
  ),
  container_start_time_seconds: gauge(
    'When the container started, in seconds since 1970',
    ({ container }) => Math.floor(Date.parse(container.state.startedAt ?? '') / 1000) || 0,
  ),
  container_last_seen: gauge('When this was counted, in seconds since 1970', () =>
    Number(now() / NANOSECONDS),
  ),
};

/** By name. */
export const CONTAINER_METRICS: Readonly<Record<string, ContainerMetric>> = {
  ...PROCESSOR,
  ...MEMORY,
  ...DISK,
  ...PROCESSES,
};
