/**
 * `PodSandboxStats`, `ListPodSandboxStats` and `StreamPodSandboxStats`.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import { type PodUse, readPod } from '../../pods/read-stats.ts';
import type { Pod } from '../../pods/record/pod.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { inPieces } from '../in-pieces.ts';
import { statsOf } from './container-stats.ts';
import { attributesOf, readWanted } from './read-wanted.ts';
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

async function wanted(rt: CriHost, filter: cri.PodSandboxStatsFilter | undefined) {
  const read = async (pod: Pod) => podStatsOf(rt, await readPod(rt, pod));
  return await readWanted(rt, 'pod', rt.pods.pods(), filter, read);
}

/** What its containers use together, and what its network carried. */
function podStatsOf(
  rt: Pick<CriHost, 'home'>,
  { pod, stats, containers }: PodUse,
): Answer<cri.PodSandboxStats> {
  const timestamp = now();
  return {
    attributes: attributesOf(pod.definition),
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
