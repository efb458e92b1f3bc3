/**
 * Mounts paths of the node for pods, as root.
 *
 * Each pod has a directory that is mounted on itself, so that what is mounted below it spreads to
 * its file server alone:
 *
 * ```
 * POD           private: what is made here is seen nowhere else
 * POD/staged    where a path is mounted at first, apart from where it comes from
 * POD/points    the directory of mount points, for this module alone
 * POD/shared    the same directory, read-only and shared: what is moved here appears in the file
 *               server, which is a slave of it
 * ```
 *
 * The guest reaches `shared` by its file server, which acts as root. Were it writable, the guest
 * could put a link in place of a mount point, and the node would mount over where it leads.
 *
 * Nothing is ever removed with all that is below it: what is mounted there is the node's.
 *
 * @module
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { lstat, mkdir, readdir, realpath, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { ifMissing } from '../../networks/host/if-missing.ts';
import { isMounted, mountTable } from '../../networks/host/mount-table.ts';
import { runProgram } from '../../networks/host/run-program.ts';
import type { PodMount } from '../record/container.ts';
import { expectReadonly } from './expect-readonly.ts';
import { isMountOf, mountName, type PodMounts } from './pod-mounts.ts';

export class NodeMounts implements PodMounts {
  readonly available = process.geteuid?.() === 0;
  readonly #directory: string;

  /** @param directory is made when it is needed */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async prepare(pod: string): Promise<string | undefined> {
    if (!this.available) return undefined;
    await this.end(pod);
    const { own, points, shared } = this.#places(pod);
    // At once: the end of another pod removes the directory of all where it is empty.
    mkdirSync(own, { recursive: true, mode: 0o700 });
    await mount('--bind', own, own);
    await mount('--make-private', own);
    for (const path of [points, shared]) await mkdir(path, { mode: 0o755 });
    await mount('--bind', '-o', 'ro', points, shared);
    await mount('--make-shared', shared);
    return shared;
  }

  async add(
    pod: string,
    container: string,
    mounts: readonly PodMount[],
  ): Promise<readonly boolean[]> {
    const { staged, points, shared } = this.#places(pod);
    const writable: boolean[] = [];
    for (const [index, each] of mounts.entries()) {
      const { path, isDirectory } = await sourceOf(each);
      const name = mountName(container, index);
      // A start that failed half-way may have left something.
      await leave(staged);
      for (const point of [staged, join(points, name)]) await makePoint(point, isDirectory);
      const access = each.readonly ? [each.recursive ? 'ro=recursive' : 'ro'] : [];
      // It is read-only from the beginning, and what is mounted and unmounted on the node later
      // changes nothing here, nor the other way round.
      await mount('--rbind', ...access.flatMap((option) => ['-o', option]), path, staged);
      await mount('--make-rprivate', staged);
      writable.push(!(each.readonly && expectReadonly(each, staged, mountTable())));
      await mount('--move', staged, join(shared, name));
      await leave(staged);
    }
    return writable;
  }

  async remove(pod: string, container: string): Promise<void> {
    // Of a mount that failed half-way.
    await leave(this.#places(pod).staged);
    await this.#leaveMounts(pod, (name) => isMountOf(container, name));
  }

  async end(pod: string): Promise<void> {
    const { own, staged, points, shared } = this.#places(pod);
    await this.#leaveMounts(pod, () => true);
    for (const path of [staged, shared, points, own]) await leave(path);
    removeIfEmpty(this.#directory);
  }

  async list(): Promise<readonly string[]> {
    return (await readdir(this.#directory).catch(ifMissing)) ?? [];
  }

  async #leaveMounts(pod: string, isLeft: (name: string) => boolean): Promise<void> {
    const { points, shared } = this.#places(pod);
    for (const name of (await readdir(points).catch(ifMissing)) ?? []) {
      if (!isLeft(name)) continue;
      await unmount(join(shared, name));
      await removePoint(join(points, name));
    }
  }

  #places(pod: string) {
    const own = join(this.#directory, pod);
    const [staged, points, shared] = [
      join(own, 'staged'),
      join(own, 'points'),
      join(own, 'shared'),
    ];
    return { own, staged, points, shared };
  }
}

/** As with other runtimes, a path that is not there becomes a directory. */
async function sourceOf({ hostPath }: PodMount): Promise<{ path: string; isDirectory: boolean }> {
  await mkdir(hostPath, { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    // It is a file, or a link to one.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  const path = await realpath(hostPath);
  const found = await stat(path);
  if (found.isDirectory() || found.isFile()) return { path, isDirectory: found.isDirectory() };
  throw new A3sError(
    'bind-source-missing',
    `Cannot mount ${hostPath}: neither directory nor file`,
    { remedy: 'Sockets and devices of the node do not work in a microVM.' },
  );
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

async function mount(...args: string[]): Promise<void> {
  await runProgram('mount', args);
}

/** Unmounts what is mounted there, and removes the mount point, which is empty then. */
async function leave(path: string): Promise<void> {
  await unmount(path);
  await removePoint(path);
}

async function unmount(path: string): Promise<void> {
  while (isMounted(path)) {
    // Of a mount that was left before it was made private, the node keeps what is below.
    await mount('--make-rprivate', path);
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
