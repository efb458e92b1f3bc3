/**
 * Mounts paths of the node for pods, as root.
 *
 * What is mounted is in the mount namespace of the pod's file server alone, as with a container of
 * other runtimes. The node's own table of mounts has nothing of it, so that its directories can be
 * removed meanwhile, and all of it ends with the file server. On the node a pod has two
 * directories:
 *
 * ```
 * POD           for root alone
 * POD/points    the mount points. The file server shares it, read-only
 * ```
 *
 * The file server acts as root for the guest. Were the directory writable, the guest could put a
 * link in place of a mount point, and the node would mount over where it leads.
 *
 * A mount point that the node removes is unmounted in the file server's namespace by the kernel.
 * Nothing is ever removed with all that is below it.
 *
 * @module
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { lstat, mkdir, readdir, rmdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { ifMissing } from '../../networks/host/if-missing.ts';
import { isMounted } from '../../networks/host/mount-table.ts';
import { runProgram } from '../../networks/host/run-program.ts';
import type { PodMount } from '../record/container.ts';
import { detachedMount, openSource } from './detached-mount.ts';
import { expectReadonly } from './expect-readonly.ts';
import { mountCalls } from './mount-calls.ts';
import { isMountOf, mountName, type PodMounts } from './pod-mounts.ts';
import { ServerNamespace } from './server-namespace.ts';

export class NodeMounts implements PodMounts {
  readonly available = process.geteuid?.() === 0;
  readonly #directory: string;
  readonly #runtimeDir: (pod: string) => string;

  /**
   * @param directory is made when it is needed
   * @param runtimeDir of the microVM of a pod, which its file server works in
   */
  constructor(directory: string, runtimeDir: (pod: string) => string) {
    this.#directory = directory;
    this.#runtimeDir = runtimeDir;
  }

  async prepare(pod: string): Promise<string | undefined> {
    if (!this.available) return undefined;
    await this.end(pod);
    const { own, points } = this.#places(pod);
    // At once: the end of another pod removes the directory of all where it is empty.
    mkdirSync(own, { recursive: true, mode: 0o700 });
    await mkdir(points, { mode: 0o755 });
    return points;
  }

  async add(
    pod: string,
    container: string,
    mounts: readonly PodMount[],
  ): Promise<readonly boolean[]> {
    if (mounts.length === 0) return [];
    const { points } = this.#places(pod);
    const calls = await mountCalls();
    await using server = await ServerNamespace.find(calls, this.#runtimeDir(pod), points);
    const writable: boolean[] = [];
    for (const [index, each] of mounts.entries()) {
      const { held, isDirectory } = await openSource(each.hostPath);
      await using _ = held;
      using mount = detachedMount(calls, held.fd, each);
      const name = mountName(container, index);
      await makePoint(join(points, name), isDirectory);
      const { path, table } = server.attach(mount.tree, name);
      writable.push(!(each.readonly && expectReadonly(each, path, table)));
    }
    return writable;
  }

  async remove(pod: string, container: string): Promise<void> {
    await this.#leaveMounts(pod, (name) => isMountOf(container, name));
  }

  async end(pod: string): Promise<void> {
    const { own, points, earlier } = this.#places(pod);
    await this.#leaveMounts(pod, () => true);
    for (const path of [earlier.staged, earlier.shared, points, own]) await leave(path);
    removeIfEmpty(this.#directory);
  }

  async list(): Promise<readonly string[]> {
    return (await readdir(this.#directory).catch(ifMissing)) ?? [];
  }

  async #leaveMounts(pod: string, isLeft: (name: string) => boolean): Promise<void> {
    const { points, earlier } = this.#places(pod);
    for (const name of (await readdir(points).catch(ifMissing)) ?? []) {
      if (!isLeft(name)) continue;
      await unmount(join(earlier.shared, name));
      await removePoint(join(points, name));
    }
  }

  /** Earlier versions mounted on the node: the pod's directory on itself, and all below it. */
  #places(pod: string) {
    const own = join(this.#directory, pod);
    const earlier = { staged: join(own, 'staged'), shared: join(own, 'shared') };
    return { own, points: join(own, 'points'), earlier };
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error;
  }
}

async function makePoint(path: string, isDirectory: boolean): Promise<void> {
  if (isDirectory) await mkdir(path, { mode: 0o755 });
  else await writeFile(path, '', { mode: 0o644, flag: 'wx' });
}

/** Unmounts what is mounted there, and removes the mount point, which is empty then. */
async function leave(path: string): Promise<void> {
  await unmount(path);
  await removePoint(path);
}

async function unmount(path: string): Promise<void> {
  while (isMounted(path)) {
    // Of a mount that was left before it was made private, the node keeps what is below.
    await runProgram('mount', ['--make-rprivate', path]);
    await runProgram('umount', ['--lazy', path]);
  }
}

/** A mount point has nothing in it: what has is not of this module's making. */
async function removePoint(path: string): Promise<void> {
  const found = await lstat(path).catch(ifMissing);
  if (found === undefined) return;
  if (found.isDirectory()) await rmdir(path);
  else if (found.isFile() && found.size === 0) await unlink(path);
  else throw new A3sError('internal', `${path} is not an empty file`);
}
