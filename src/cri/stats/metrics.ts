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
import { CONTAINER_METRICS, type CountedUse } from './container-metrics.ts';

type Device = NonNullable<Stats['detail']>['networks'][number];

interface DeviceMetric {
  readonly help: string;
  readonly type: number;
  read(device: Device): number;
}

const { COUNTER } = MetricType;

const NETWORK: Readonly<Record<string, DeviceMetric>> = {
  container_network_receive_bytes_total: {
    ...{ help: 'Bytes received', type: COUNTER },
    read: ({ receivedBytes }) => receivedBytes,
  },
  container_network_receive_errors_total: {
    ...{ help: 'Errors while receiving', type: COUNTER },
    read: ({ receiveErrors }) => receiveErrors,
  },
  container_network_receive_packets_total: {
    ...{ help: 'Packets received', type: COUNTER },
    read: ({ receivedPackets }) => receivedPackets,
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
  container_network_transmit_packets_total: {
    ...{ help: 'Packets sent', type: COUNTER },
    read: ({ sentPackets }) => sentPackets,
  },
  container_network_transmit_packets_dropped_total: {
    ...{ help: 'Packets dropped while sending', type: COUNTER },
    read: ({ sendDropped }) => sendDropped,
  },
};

const CONTAINER_LABELS = ['id', 'name'];
const NETWORK_LABELS = ['id', 'interface'];

export function listMetricDescriptors(): Answer<cri.ListMetricDescriptorsResponse> {
  return {
    descriptors: [
      ...Object.entries(CONTAINER_METRICS).map(([name, { help, labels }]) => ({
        ...{ name, help, labelKeys: [...CONTAINER_LABELS, ...labels] },
      })),
      ...Object.entries(NETWORK).map(([name, { help }]) => ({
        ...{ name, help, labelKeys: NETWORK_LABELS },
      })),
    ],
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
    containerMetrics: containers.flatMap(({ stats: own, ...use }) =>
      own === undefined ? [] : [containerMetrics({ ...use, stats: own }, timestamp)],
    ),
  };
}

function containerMetrics(use: CountedUse, timestamp: bigint): Answer<cri.ContainerMetrics> {
  const { id: containerId, metadata } = use.container.definition;
  const metrics = Object.entries(CONTAINER_METRICS).flatMap(([name, { type, read }]) =>
    read(use).map(({ labels, value }) => ({
      ...{ name, timestamp, metricType: type },
      labelValues: [containerId, metadata.name, ...labels],
      value: { value: BigInt(value) },
    })),
  );
  return { containerId, metrics };
}
