/**
 * Mounts that no host makes, for tests of the server.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { PodMounts } from '../mounts/pod-mounts.ts';
import type { PodMount } from '../record/container.ts';

export class FakePodMounts implements PodMounts {
  /** By pod, and by container. */
  readonly mounted = new Map<string, Map<string, readonly PodMount[]>>();
  /** Whether the server can mount anything. */
  available = false;
  /** Whether something writable is mounted below all that is read-only. */
  writableBelow = false;

  async prepare(pod: string): Promise<string | undefined> {
    if (!this.available) return undefined;
    this.mounted.set(pod, new Map());
    return `/run/pods/${pod}`;
  }

  async add(
    pod: string,
    container: string,
    mounts: readonly PodMount[],
  ): Promise<readonly boolean[]> {
    const missing = mounts.find(({ hostPath }) => hostPath.startsWith('/missing'));
    if (missing !== undefined) {
      throw new A3sError('bind-source-missing', `Cannot mount ${missing.hostPath}`);
    }
    this.mounted.get(pod)?.set(container, mounts);
    return mounts.map(({ readonly, recursive }) => !readonly || (this.writableBelow && !recursive));
  }

  async remove(pod: string, container: string): Promise<void> {
    this.mounted.get(pod)?.delete(container);
  }

  async end(pod: string): Promise<void> {
    this.mounted.delete(pod);
  }

  async list(): Promise<readonly string[]> {
    return [...this.mounted.keys()];
  }
}
