/**
 * Paths of the node in the containers of a pod.
 *
 * A pod has one file server, started with its microVM, whose directory is empty at first. What a
 * container mounts is mounted there by the node, and so appears in the guest, without a device that
 * is attached.
 *
 * @module
 */
import type { PodDirectories } from '../../boxes/services/pod-claims.ts';
import type { PodMount } from '../record/container.ts';

/** Names of containers' mounts begin with so many digits of their ids. */
const ID_DIGITS = 12;

export interface PodMounts extends PodDirectories {
  /** Whether this server can mount anything. */
  readonly available: boolean;
  /**
   * Mounts paths of the node for a container, under the names that `mountName` gives them.
   *
   * @returns for each of them whether any of it can be written: below a read-only mount that is not
   * recursive, another one may be writable
   * @throws A3sError `bind-source-missing`; what was mounted before stays until `remove`
   */
  add(pod: string, container: string, mounts: readonly PodMount[]): Promise<readonly boolean[]>;
  /** Unmounts what a container has mounted, if anything. */
  remove(pod: string, container: string): Promise<void>;
  /** The pods that have a directory. */
  list(): Promise<readonly string[]>;
}

/** The name of a mount in the directory of its pod. */
export function mountName(container: string, index: number): string {
  return `${container.slice(0, ID_DIGITS)}-${index}`;
}

/** Whether the name is of one of the container's mounts. */
export function isMountOf(container: string, name: string): boolean {
  return name.startsWith(`${container.slice(0, ID_DIGITS)}-`);
}
