/**
 * The guest's side of a container that runs.
 *
 * @module
 */
import type { ProcessSpec } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { GuestContainer } from '../../guest/guest-container.ts';
import { expectPodPermits } from '../confidential/host-may.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';
import type { ContainerDefinition } from '../record/container.ts';

export interface RunningContainer {
  readonly pod: RunningPod;
  readonly definition: ContainerDefinition;
  readonly guest: GuestContainer;
}

/**
 * @param permission that the launch spec of a confidential pod has to give for what is to be done
 * @throws A3sError `no-such-container`; `conflict` where it does not run; `host-not-permitted`
 */
export async function runningContainer(
  rt: Pick<PodHost, 'pods' | 'runningPods'>,
  id: string,
  permission?: 'exec' | 'attach',
): Promise<RunningContainer> {
  const { definition, state } = rt.pods.expectContainer(id);
  if (state.status !== 'running') {
    throw new A3sError('conflict', `The container ${id} is not running: it is ${state.status}`);
  }
  if (permission !== undefined) {
    const what = permission === 'exec' ? 'run a program in' : 'attach to';
    expectPodPermits(rt.pods.expectPod(definition.pod).definition, what, permission);
  }
  const pod = rt.runningPods.expect(definition.pod);
  return { pod, definition, guest: (await pod.guest()).container(id) };
}

/** One more process in a container: with its environment, directory and user. */
export function execProcess(
  { process: { env, cwd, user } }: Pick<ContainerDefinition, 'process'>,
  args: readonly string[],
  { terminal, stdin }: { readonly terminal: boolean; readonly stdin: boolean },
): ProcessSpec {
  const usual = env.filter((entry) => !entry.startsWith('TERM='));
  return {
    ...{ args: [...args], cwd, user, terminal, stdin },
    env: terminal ? [...usual, 'TERM=xterm'] : env,
  };
}
