/**
 * `PodSandboxStats`, `ListPodSandboxStats` and `StreamPodSandboxStats`.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import { type PodUse, readPod } from '../../pods/read-stats.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { inPieces } from '../in-pieces.ts';
import { hasLabels } from '../label-selector.ts';
import { statsOf } from './container-stats.ts';
import { cpuUsage, memoryUsage, networkUsage } from './usage.ts';

/** @throws A3sError `no-such-pod` */
export async function podSandboxStats(
  rt: CriHost,
  { podSandboxId }: cri.PodSandboxStatsRequest,
): Promise<Answer<cri.PodSandboxStatsResponse>> {
  const pod = rt.pods.expectPod(rt.pods.fullId('pod', podSandboxId));
  return { stats: podStatsOf(rt, await readPod(rt, pod)) };
}

export async function listPodSandboxStats(
  rt: CriHost,
  { filter }: cri.ListPodSandboxStatsRequest,
): Promise<Answer<cri.ListPodSandboxStatsResponse>> {
  return { stats: await wanted(rt, filter) };
}

export async function* streamPodSandboxStats(
  rt: CriHost,
  { filter }: cri.StreamPodSandboxStatsRequest,
): AsyncGenerator<Answer<cri.StreamPodSandboxStatsResponse>> {
  for (const podSandboxStats of inPieces(await wanted(rt, filter))) yield { podSandboxStats };
}

/** All that the filter names has to hold. */
async function wanted(rt: CriHost, filter: cri.PodSandboxStatsFilter | undefined) {
  const { id = '', labelSelector = {} } = filter ?? {};
  const full = id === '' ? '' : rt.pods.fullId('pod', id);
  const found = rt.pods
    .pods()
    .filter(({ definition }) => full === '' || definition.id === full)
    .filter(({ definition }) => hasLabels(definition.labels, labelSelector));
  return await Promise.all(found.map(async (pod) => podStatsOf(rt, await readPod(rt, pod))));
}

/** What its containers use together, and what its network carried. */
function podStatsOf(
  rt: Pick<CriHost, 'home'>,
  { pod, stats, containers }: PodUse,
): Answer<cri.PodSandboxStats> {
  const timestamp = now();
  const { id, metadata, labels, annotations } = pod.definition;
  return {
    attributes: { id, metadata, labels, annotations },
    linux: {
      containers: containers.map((each) => statsOf(rt, each)),
      ...(stats === undefined
        ? {}
        : {
            cpu: cpuUsage(stats, timestamp),
            memory: memoryUsage(stats, timestamp),
            network: networkUsage(stats, timestamp),
            process: { timestamp, processCount: { value: BigInt(stats.pids) } },
          }),
    },
  };
}
