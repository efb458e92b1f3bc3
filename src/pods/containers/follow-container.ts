/**
 * Follows a container that runs: its output to its log, its exit to its record.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { retryRecord } from '../../boxes/supervise/retry-record.ts';
import { type Exit, MAIN } from '../../guest/protocol.ts';
import { finality } from '../../guest/refusal.ts';
import { podPermits } from '../confidential/host-may.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { ContainerOutput } from '../logs/container-output.ts';
import type { PodHost } from '../pod-host.ts';
import { endContainer } from './end-container.ts';
import { resumeOutput } from './open-output.ts';

/** Pause after an attempt to reach the guest that failed as a whole. */
const RETRY_MS = 500;

export type FollowHost = Pick<PodHost, 'pods' | 'podMounts' | 'log' | 'locks'>;

/**
 * In the background, until the record says that the container has ended.
 *
 * @param opened its output, where that is open already
 */
export function followContainer(
  rt: FollowHost,
  running: RunningPod,
  id: string,
  opened?: ContainerOutput,
): void {
  const followed = (async () => {
    const output = opened ?? (await resumeOutput(rt, running, id));
    running.outputs.set(id, output);
    try {
      const exit = await exitOf(rt, running, { id, output });
      const report = (error: unknown): void =>
        rt.log.error('the log of a container was not finished', error, { container: id });
      // What the microVM had not finished of a line.
      if (exit === undefined && !running.released) await output.finish().catch(report);
      // Its log is not reopened any more.
      running.outputs.delete(id);
      await output.close().catch(report);
      if (running.released) return;
      await endSurely(rt, running, id, exit);
    } catch (error) {
      if (!running.released) {
        rt.log.error('a container was lost sight of', error, { container: id });
      }
    } finally {
      running.outputs.delete(id);
      running.inputs.delete(id);
      running.followed.delete(id);
    }
  })();
  running.followed.set(id, followed);
}

/** Tries until the end is recorded, so that no exit code is lost. */
async function endSurely(
  rt: FollowHost,
  running: RunningPod,
  id: string,
  exit: Exit | undefined,
): Promise<void> {
  const failure = 'the end of a container could not be recorded';
  const isRetried = (): boolean => !running.released;
  await retryRecord(rt, { fields: { container: id }, failure, isRetried }, () =>
    rt.locks.run(running.id, async () => {
      if (!running.released) await endContainer(rt, running, id, exit);
    }),
  );
}

/** All its output is read by then. Undefined when the microVM ended first. */
async function exitOf(
  rt: FollowHost,
  running: RunningPod,
  { id, output }: { readonly id: string; readonly output: ContainerOutput },
): Promise<Exit | undefined> {
  for (;;) {
    try {
      const container = (await running.guest()).container(id);
      const exit = container.ended(MAIN, running.signal);
      exit.catch(() => undefined);
      // The guest drops output that its host may not see.
      if (!seesOutput(rt, running)) return await exit;
      const { acknowledged } = await container.process(MAIN, running.signal);
      // Without a log, nothing but the agent knows how far an earlier server has read.
      const from = Math.max(output.next, acknowledged);
      await output.copy(await container.output(MAIN, from, running.signal));
      return await exit;
    } catch (error) {
      if (running.released || running.vmExit !== undefined) return undefined;
      // The agent does not know it any more, and so nothing of it runs.
      if (finality(error) === 'state') return undefined;
      // Where the microVM ends, its connections break before its end is known.
      await delay(RETRY_MS, undefined, { signal: running.signal }).catch(() => undefined);
      if (running.signal.aborted) continue;
      rt.log.error('the connection to a container was lost', error, { container: id });
    }
  }
}

function seesOutput(rt: Pick<FollowHost, 'pods'>, { id }: RunningPod): boolean {
  const pod = rt.pods.pod(id);
  return pod === undefined || podPermits(pod.definition, 'logs', 'attach');
}
