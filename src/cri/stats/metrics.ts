/**
 * `ListMetricDescriptors`, `ListPodSandboxMetrics` and `StreamPodSandboxMetrics`: what guests
 * count, under the names that cAdvisor has for it.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import type { Stats } from '../../guest/protocol.ts';
import { type PodUse, readPod } from '../../pods/read-stats.ts';
import type { Answer } from '../answer.ts';
import { MetricType } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { inPieces } from '../in-pieces.ts';
import { workingSetOf } from './usage.ts';

type Device = NonNullable<Stats['detail']>['networks'][number];

interface Described {
  readonly help: string;
  readonly type: number;
}

interface OfContainer extends Described {
  read(stats: Stats): number;
}

interface OfDevice extends Described {
  read(device: Device): number;
}

const { COUNTER, GAUGE } = MetricType;
const MICROSECONDS = 1_000_000;

/** Values of CRI are whole numbers: seconds lose their fractions. */
const CONTAINER: Readonly<Record<string, OfContainer>> = {
  container_cpu_usage_seconds_total: {
    ...{ help: 'CPU time, in seconds', type: COUNTER },
    read: ({ cpuUsec }) => Math.floor(cpuUsec / MICROSECONDS),
  },
  container_cpu_user_seconds_total: {
    ...{ help: 'CPU time of user mode, in seconds', type: COUNTER },
    read: ({ detail }) => Math.floor((detail?.userUsec ?? 0) / MICROSECONDS),
  },
  container_cpu_system_seconds_total: {
    ...{ help: 'CPU time of the kernel, in seconds', type: COUNTER },
    read: ({ detail }) => Math.floor((detail?.kernelUsec ?? 0) / MICROSECONDS),
  },
  container_cpu_cfs_throttled_periods_total: {
    ...{ help: 'Periods in which the limit was reached', type: COUNTER },
    read: ({ detail }) => detail?.throttled.throttledPeriods ?? 0,
  },
  container_memory_usage_bytes: {
    ...{ help: 'Memory with all caches, in bytes', type: GAUGE },
    read: ({ memoryBytes }) => memoryBytes,
  },
  container_memory_working_set_bytes: {
    ...{ help: 'Memory that cannot be dropped at once, in bytes', type: GAUGE },
    read: workingSetOf,
  },
  container_memory_max_usage_bytes: {
    ...{ help: 'The most memory so far, in bytes', type: GAUGE },
    read: ({ memoryPeakBytes }) => memoryPeakBytes,
  },
  container_spec_memory_limit_bytes: {
    ...{ help: 'The limit of memory in bytes; 0: none', type: GAUGE },
    read: ({ detail }) => detail?.memoryLimitBytes ?? 0,
  },
  container_oom_events_total: {
    ...{ help: 'Processes that were killed for want of memory', type: COUNTER },
    read: ({ detail }) => detail?.oomKills ?? 0,
  },
  container_processes: {
    ...{ help: 'Processes', type: GAUGE },
    read: ({ pids }) => pids,
  },
};

const NETWORK: Readonly<Record<string, OfDevice>> = {
  container_network_receive_bytes_total: {
    ...{ help: 'Bytes received', type: COUNTER },
    read: ({ receivedBytes }) => receivedBytes,
  },
  container_network_receive_errors_total: {
    ...{ help: 'Errors while receiving', type: COUNTER },
    read: ({ receiveErrors }) => receiveErrors,
  },
  container_network_receive_packets_dropped_total: {
    ...{ help: 'Packets dropped while receiving', type: COUNTER },
    read: ({ receiveDropped }) => receiveDropped,
  },
  container_network_transmit_bytes_total: {
    ...{ help: 'Bytes sent', type: COUNTER },
    read: ({ sentBytes }) => sentBytes,
  },
  container_network_transmit_errors_total: {
    ...{ help: 'Errors while sending', type: COUNTER },
    read: ({ sendErrors }) => sendErrors,
  },
  container_network_transmit_packets_dropped_total: {
    ...{ help: 'Packets dropped while sending', type: COUNTER },
    read: ({ sendDropped }) => sendDropped,
  },
};

const CONTAINER_LABELS = ['id', 'name'];
const NETWORK_LABELS = ['id', 'interface'];

export function listMetricDescriptors(): Answer<cri.ListMetricDescriptorsResponse> {
  const described = (all: Readonly<Record<string, Described>>, labelKeys: string[]) =>
    Object.entries(all).map(([name, { help }]) => ({ name, help, labelKeys }));
  return {
    descriptors: [...described(CONTAINER, CONTAINER_LABELS), ...described(NETWORK, NETWORK_LABELS)],
  };
}

export async function listPodSandboxMetrics(
  rt: CriHost,
): Promise<Answer<cri.ListPodSandboxMetricsResponse>> {
  return { podMetrics: await allPods(rt) };
}

export async function* streamPodSandboxMetrics(
  rt: CriHost,
): AsyncGenerator<Answer<cri.StreamPodSandboxMetricsResponse>> {
  for (const podSandboxMetrics of inPieces(await allPods(rt))) yield { podSandboxMetrics };
}

async function allPods(rt: CriHost): Promise<Answer<cri.PodSandboxMetrics>[]> {
  const read = rt.pods.pods().map((pod) => readPod(rt, pod));
  return (await Promise.all(read)).map(podMetrics);
}

function podMetrics({ pod, stats, containers }: PodUse): Answer<cri.PodSandboxMetrics> {
  const { id } = pod.definition;
  const timestamp = now();
  const devices = stats?.detail?.networks ?? [];
  return {
    podSandboxId: id,
    metrics: devices.flatMap((device) =>
      Object.entries(NETWORK).map(([name, { type, read }]) => ({
        ...{ name, timestamp, metricType: type, labelValues: [id, device.name] },
        value: { value: BigInt(read(device)) },
      })),
    ),
    containerMetrics: containers.flatMap(({ container, stats: own }) => {
      if (own === undefined) return [];
      const { id: containerId, metadata } = container.definition;
      const metrics = Object.entries(CONTAINER).map(([name, { type, read }]) => ({
        ...{ name, timestamp, metricType: type, labelValues: [containerId, metadata.name] },
        value: { value: BigInt(read(own)) },
      }));
      return [{ containerId, metrics }];
    }),
  };
}
