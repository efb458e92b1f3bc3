/**
 * The limits of all containers of a pod together, as kubelet adds them up.
 *
 * @module
 */
import type { LaunchedContainer, Resources } from '@a3s-box/policies';
import type { PodManifest } from './pod-manifest.ts';

type Limits = Pick<Resources, 'memoryBytes' | 'cpuMillis'>;

/** A container without a limit adds nothing to it; none where none has one. */
export function togetherOf(
  pod: PodManifest,
  launched: readonly Pick<LaunchedContainer, 'name' | 'resources'>[],
): Limits {
  const most = (limit: keyof Limits): number | undefined => mostAtATime(pod, launched, limit);
  const [memoryBytes, cpuMillis] = [most('memoryBytes'), most('cpuMillis')];
  return {
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpuMillis === undefined ? {} : { cpuMillis }),
  };
}

/**
 * Those that run before the others run one after the other, beside the sidecars that were started
 * before them.
 */
function mostAtATime(
  { initContainers = [], containers }: PodManifest,
  launched: readonly Pick<LaunchedContainer, 'name' | 'resources'>[],
  limit: keyof Limits,
): number | undefined {
  const limits = new Map(launched.map(({ name, resources }) => [name, resources[limit]]));
  if ([...limits.values()].every((limit) => limit === undefined)) return undefined;
  const of = ({ name }: { readonly name: string }): number => limits.get(name) ?? 0;
  let sidecars = 0;
  let most = 0;
  for (const each of initContainers) {
    if (each.restartPolicy === 'Always') sidecars += of(each);
    else most = Math.max(most, sidecars + of(each));
  }
  return Math.max(
    most,
    containers.reduce((sum, each) => sum + of(each), sidecars),
  );
}
