/**
 * Docker's document of the resources that a box uses, from its guest's counters. The CPU times are
 * of the guest's processors and clock.
 *
 * @module
 */
import type { Box } from '../../../../boxes/record/box.ts';
import type { ContainerStats } from '../../../../docker-api/containers/stats.ts';
import type { Stats } from '../../../../guest/protocol.ts';
import { ZERO_TIME } from './show.ts';

type Detail = NonNullable<Stats['detail']>;

const NS_PER_US = 1000;
/** Docker's value for a host without cgroup v1. */
const NOT_COUNTED = {
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

/**
 * @param stats undefined: the box does not run
 * @param before the earlier sample for rates; undefined: there is none
 */
export function statsDocument(
  { definition, name }: Pick<Box, 'definition' | 'name'>,
  stats: Stats | undefined,
  before: Stats | undefined,
): ContainerStats {
  const detail = stats?.detail;
  return {
    read: timeOf(stats),
    preread: timeOf(before),
    pids_stats: pids(stats),
    blkio_stats: {
      io_service_bytes_recursive: perDevice(detail, ({ readBytes, writtenBytes }) => [
        readBytes,
        writtenBytes,
      ]),
      io_serviced_recursive: perDevice(detail, ({ reads, writes }) => [reads, writes]),
      ...NOT_COUNTED,
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpu(stats),
    precpu_stats: cpu(before),
    memory_stats: memory(stats),
    name: `/${name}`,
    id: definition.id,
    ...(detail === undefined || detail.networks.length === 0
      ? {}
      : { networks: Object.fromEntries(detail.networks.map(network)) }),
  };
}

function timeOf(stats: Stats | undefined): string {
  return stats?.detail?.readAt ?? ZERO_TIME;
}

/** An unlimited number is left out: Docker's value for it is larger than JSON holds exactly. */
function pids(stats: Stats | undefined) {
  if (stats === undefined) return {};
  const limit = stats.detail?.pidsLimit ?? 0;
  return { current: stats.pids, ...(limit === 0 ? {} : { limit }) };
}

function perDevice(
  detail: Detail | undefined,
  count: (device: Detail['io'][number]) => readonly [read: number, written: number],
) {
  if (detail === undefined) return null;
  return detail.io.flatMap((each) => {
    const [major = 0, minor = 0] = each.device.split(':').map(Number);
    const [read, written] = count(each);
    return [
      { major, minor, op: 'read', value: read },
      { major, minor, op: 'write', value: written },
    ];
  });
}

function cpu(stats: Stats | undefined) {
  const detail = stats?.detail;
  const throttled = detail?.throttled;
  return {
    cpu_usage: {
      total_usage: nanoseconds(stats?.cpuUsec),
      usage_in_kernelmode: nanoseconds(detail?.kernelUsec),
      usage_in_usermode: nanoseconds(detail?.userUsec),
    },
    ...(detail === undefined
      ? {}
      : { system_cpu_usage: nanoseconds(detail.systemUsec), online_cpus: detail.cpus }),
    throttling_data: {
      periods: throttled?.periods ?? 0,
      throttled_periods: throttled?.throttledPeriods ?? 0,
      throttled_time: nanoseconds(throttled?.throttledUsec),
    },
  };
}

function nanoseconds(microseconds = 0): number {
  return microseconds * NS_PER_US;
}

function memory(stats: Stats | undefined) {
  if (stats === undefined) return {};
  const { memoryBytes: usage, detail } = stats;
  if (detail === undefined) return { usage };
  return {
    usage,
    stats: detail.memory,
    ...(detail.memoryLimitBytes === 0 ? {} : { limit: detail.memoryLimitBytes }),
  };
}

function network(device: Detail['networks'][number]) {
  return [
    device.name,
    {
      rx_bytes: device.receivedBytes,
      rx_packets: device.receivedPackets,
      rx_errors: device.receiveErrors,
      rx_dropped: device.receiveDropped,
      tx_bytes: device.sentBytes,
      tx_packets: device.sentPackets,
      tx_errors: device.sendErrors,
      tx_dropped: device.sendDropped,
    },
  ] as const;
}
