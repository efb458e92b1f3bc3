/**
 * The output of a container that is followed, and its log.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import { ContainerLog, type ContainerLogOptions } from '../logs/container-log.ts';
import { ContainerOutput } from '../logs/container-output.ts';
import { LOG_START } from '../logs/log-position.ts';
import type { PodHost } from '../pod-host.ts';

type Host = Pick<PodHost, 'pods' | 'log'>;

/**
 * The output of a container that starts. Without a path there is no log.
 *
 * @throws A3sError `invalid-argument` where its log cannot be opened
 */
export async function openOutput(
  rt: Host,
  running: RunningPod,
  id: string,
): Promise<ContainerOutput> {
  return await outputOf(rt, running, id, (options) => ContainerLog.open(options));
}

/** That of a container that runs. It goes on where the record says that the log ends. */
export async function resumeOutput(
  rt: Host,
  running: RunningPod,
  id: string,
): Promise<ContainerOutput> {
  return await outputOf(rt, running, id, (options) => ContainerLog.resume(options));
}

async function outputOf(
  rt: Host,
  running: RunningPod,
  id: string,
  open: (options: ContainerLogOptions) => Promise<ContainerLog>,
): Promise<ContainerOutput> {
  const { definition, state } = rt.pods.expectContainer(id);
  const { logPath: path } = definition;
  if (path === '') return new ContainerOutput(undefined);
  const onFailure = (error: unknown): void =>
    rt.log.error('the log of a container could not be written', error, { container: id });
  const log = await open({
    ...{ path, onFailure, signal: running.signal },
    position: state.log ?? LOG_START,
    save: (position) => rt.pods.recordLog(id, position),
  });
  return new ContainerOutput(log);
}

/**
 * Has the log of a container go on in a new file of its name: kubelet has renamed the old one.
 *
 * @throws A3sError `no-such-container`; `conflict` where it does not run
 */
export async function reopenLog(
  rt: Pick<PodHost, 'pods' | 'runningPods'>,
  id: string,
): Promise<void> {
  const { definition, state } = rt.pods.expectContainer(id);
  const output = rt.runningPods.get(definition.pod)?.outputs.get(id);
  if (output === undefined) {
    const why =
      state.status === 'running'
        ? 'Its log is not open at the moment; try again'
        : `It is not running: it is ${state.status}`;
    throw new A3sError('conflict', `Cannot reopen the log of the container ${id}: ${why}`);
  }
  await output.log?.reopen();
}
