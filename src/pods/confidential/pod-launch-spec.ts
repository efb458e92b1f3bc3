/**
 * The launch spec of a confidential pod, from its record.
 *
 * @module
 */
import { type LaunchedContainer, type PodLaunchSpec, parsePodLaunchSpec } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { PodDefinition } from '../record/pod.ts';

type Confidential = NonNullable<PodDefinition['confidential']>;

export function podLaunchSpec({ launchSpec }: Pick<Confidential, 'launchSpec'>): PodLaunchSpec {
  return parsePodLaunchSpec(Buffer.from(launchSpec));
}

/** A container that a launch spec names, and its number there. */
export interface NamedContainer {
  readonly index: number;
  readonly named: LaunchedContainer;
}

/** @throws A3sError `host-not-permitted` for one that it does not name */
export function namedContainer(spec: PodLaunchSpec, name: string): NamedContainer {
  const index = spec.containers.findIndex((each) => each.name === name);
  const named = spec.containers[index];
  if (named !== undefined) return { index, named };
  throw new A3sError(
    'host-not-permitted',
    `Cannot run the container: the launch spec of its pod names no container ${name.slice(0, 63)}`,
    { remedy: 'Name it in the pod that a3s-box pod measure reads, and run that pod.' },
  );
}
