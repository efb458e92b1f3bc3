/**
 * `ContainerStats`, `ListContainerStats` and `StreamContainerStats`.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import { type ContainerUse, readContainer } from '../../pods/read-stats.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { inPieces } from '../in-pieces.ts';
import { hasLabels } from '../label-selector.ts';
import { cpuUsage, memoryUsage, swapUsage } from './usage.ts';

/** @throws A3sError `no-such-container` */
export async function containerStats(
  rt: CriHost,
  { containerId }: cri.ContainerStatsRequest,
): Promise<Answer<cri.ContainerStatsResponse>> {
  const container = rt.pods.expectContainer(rt.pods.fullId('container', containerId));
  return { stats: statsOf(rt, await readContainer(rt, container)) };
}

export async function listContainerStats(
  rt: CriHost,
  { filter }: cri.ListContainerStatsRequest,
): Promise<Answer<cri.ListContainerStatsResponse>> {
  return { stats: await wanted(rt, filter) };
}

export async function* streamContainerStats(
  rt: CriHost,
  { filter }: cri.StreamContainerStatsRequest,
): AsyncGenerator<Answer<cri.StreamContainerStatsResponse>> {
  for (const containerStats of inPieces(await wanted(rt, filter))) yield { containerStats };
}

/** All that the filter names has to hold. */
async function wanted(rt: CriHost, filter: cri.ContainerStatsFilter | undefined) {
  const { id = '', podSandboxId = '', labelSelector = {} } = filter ?? {};
  const full = id === '' ? '' : rt.pods.fullId('container', id);
  const pod = podSandboxId === '' ? undefined : rt.pods.fullId('pod', podSandboxId);
  const found = rt.pods
    .containers(pod)
    .filter(({ definition }) => full === '' || definition.id === full)
    .filter(({ definition }) => hasLabels(definition.labels, labelSelector));
  const read = found.map(async (each) => statsOf(rt, await readContainer(rt, each)));
  return await Promise.all(read);
}

/** A container that does not run has attributes and its disk alone. */
export function statsOf(
  { home }: Pick<CriHost, 'home'>,
  { container, stats, diskBytes }: ContainerUse,
): Answer<cri.ContainerStats> {
  const timestamp = now();
  const { id, metadata, labels, annotations } = container.definition;
  return {
    attributes: { id, metadata, labels, annotations },
    writableLayer: {
      ...{ timestamp, fsId: { mountpoint: home } },
      usedBytes: { value: BigInt(diskBytes) },
    },
    ...(stats === undefined
      ? {}
      : {
          cpu: cpuUsage(stats, timestamp),
          memory: memoryUsage(stats, timestamp),
          swap: swapUsage(timestamp),
        }),
  };
}
