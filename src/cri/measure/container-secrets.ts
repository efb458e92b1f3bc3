/**
 * The annotations `dev.a3s.container-secrets.CONTAINER`: which secrets of the pod a container gets.
 * Their values are names with commas between them, and an empty one is none.
 *
 * @module
 */
import { invalid, quoted } from '../refusal.ts';

const PREFIX = 'dev.a3s.container-secrets.';

export function isContainerSecrets(annotation: string): boolean {
  return annotation.startsWith(PREFIX);
}

/** What the containers and the secrets of a pod are called. */
interface PodNames {
  readonly containers: readonly string[];
  readonly secrets: readonly string[];
}

/**
 * The names of the secrets, sorted, by the container that gets them. A container that no annotation
 * names is not in it, and gets all.
 *
 * @throws A3sError `invalid-argument` for what the pod does not have, and for a name that is there
 * twice
 */
export function containerSecrets(
  annotations: Readonly<Record<string, string>>,
  pod: PodNames,
): ReadonlyMap<string, readonly string[]> {
  const all = new Map<string, readonly string[]>();
  for (const [annotation, value] of Object.entries(annotations)) {
    if (!isContainerSecrets(annotation)) continue;
    const container = annotation.slice(PREFIX.length);
    const field = `the annotation ${PREFIX}${container.slice(0, 64)}`;
    if (!pod.containers.includes(container)) {
      throw invalid(field, `the pod has no container ${quoted(container)}`);
    }
    all.set(container, namesOf(field, value, pod.secrets));
  }
  return all;
}

function namesOf(field: string, value: string, secrets: readonly string[]): readonly string[] {
  const names = value === '' ? [] : value.split(',');
  for (const [at, name] of names.entries()) {
    if (!secrets.includes(name)) throw invalid(field, `the pod has no secret ${quoted(name)}`);
    if (names.indexOf(name) < at) throw invalid(field, `${quoted(name)} is there twice`);
  }
  return names.toSorted();
}
