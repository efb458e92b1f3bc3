/**
 * Follows a container that runs: its output to its log, its exit to its record.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { GuestContainer } from '../../guest/guest-container.ts';
import { type Exit, MAIN } from '../../guest/protocol.ts';
import { finality } from '../../guest/refusal.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';
import { endContainer } from './end-container.ts';

/** Pause after an attempt to reach the guest that failed as a whole. */
const RETRY_MS = 500;

export type FollowHost = Pick<PodHost, 'pods' | 'log' | 'locks'>;

/** In the background, until the record says that the container has ended. */
export function followContainer(rt: FollowHost, running: RunningPod, id: string): void {
  const { pod } = rt.pods.expectContainer(id).definition;
  const followed = (async () => {
    try {
      const exit = await exitOf(rt, running, id);
      if (running.released) return;
      await rt.locks.run(pod, () => endContainer(rt, running, id, exit));
    } catch (error) {
      if (!running.released)
        rt.log.error('a container was lost sight of', error, { container: id });
    } finally {
      running.followed.delete(id);
    }
  })();
  running.followed.set(id, followed);
}

/** All its output is read by then. Undefined when the microVM ended first. */
async function exitOf(rt: FollowHost, running: RunningPod, id: string): Promise<Exit | undefined> {
  for (;;) {
    try {
      const container = (await running.guest()).container(id);
      const exit = container.ended(MAIN, running.signal);
      exit.catch(() => undefined);
      await readOutput(container, running.signal);
      return await exit;
    } catch (error) {
      if (running.released || running.vmExit !== undefined) return undefined;
      // The agent does not know it any more, and so nothing of it runs.
      if (finality(error) === 'state') return undefined;
      rt.log.error('the connection to a container was lost', error, { container: id });
      await delay(RETRY_MS, undefined, { signal: running.signal }).catch(() => undefined);
    }
  }
}

/** To its end: a process whose output is not read blocks when its agent has no more room. */
async function readOutput(container: GuestContainer, signal: AbortSignal): Promise<void> {
  const { acknowledged } = await container.process(MAIN, signal);
  const output = await container.output(MAIN, acknowledged, signal);
  for await (const { offset, data } of output) output.ack(offset + data.length);
}
