/**
 * `ContainerStats`, `ListContainerStats` and `StreamContainerStats`.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import { type ContainerUse, readContainer } from '../../pods/read-stats.ts';
import type { Container } from '../../pods/record/container.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { inPieces } from '../in-pieces.ts';
import { attributesOf, readWanted } from './read-wanted.ts';
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

async function wanted(rt: CriHost, filter: cri.ContainerStatsFilter | undefined) {
  const { podSandboxId = '' } = filter ?? {};
  const pod = podSandboxId === '' ? undefined : rt.pods.fullId('pod', podSandboxId);
  const read = async (container: Container) => statsOf(rt, await readContainer(rt, container));
  return await readWanted(rt, 'container', rt.pods.containers(pod), filter, read);
}

/** A container that does not run has attributes and its disk alone. */
export function statsOf(
  { home }: Pick<CriHost, 'home'>,
  { container, stats, diskBytes }: ContainerUse,
): Answer<cri.ContainerStats> {
  const timestamp = now();
  return {
    attributes: attributesOf(container.definition),
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
