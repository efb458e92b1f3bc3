/**
 * Stops all pods, because their host shuts down.
 *
 * @module
 */
import { settleAll } from '../../async/settle-all.ts';
import { stopContainer } from '../containers/stop-container.ts';
import type { PodHost } from '../pod-host.ts';
import type { FollowPodHost } from './follow-pod.ts';
import { stopPod } from './stop-pod.ts';

/**
 * Ends all containers as a stop does, and then their pods. One that cannot be ended does not keep
 * the others from ending. The first failure is thrown when all are done.
 *
 * @param graceMs for each container, from its stop signal on
 */
export async function stopPodsForHost(
  rt: FollowPodHost & Pick<PodHost, 'pods' | 'runningPods' | 'locks' | 'log'>,
  graceMs: number,
): Promise<void> {
  const pods = rt.runningPods.list();
  rt.log.info('the host ends: pods are asked to end', { pods: pods.length });
  await settleAll(
    pods.map(async ({ id, followed }) => {
      try {
        await settleAll([...followed.keys()].map((each) => stopContainer(rt, each, graceMs)));
      } finally {
        await stopPod(rt, id);
      }
    }),
  );
}
