/**
 * The mount namespace of a pod's file server, as the node sees it.
 *
 * @module
 */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readFileSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SHARED } from '../../engine/helpers/virtiofsd.ts';
import { findTogether } from '../../engine/processes/find-together.ts';
import { A3sError } from '../../errors.ts';
import { ifMissing } from '../../networks/host/if-missing.ts';
import { type MountEntry, parseMountTable } from '../../networks/host/mount-table.ts';
import { inMountNamespace, O_PATH } from './in-mount-namespace.ts';
import type { MountCalls } from './mount-calls.ts';

const PROGRAM = 'virtiofsd';
const POINT = O_PATH | constants.O_NOFOLLOW;

export class ServerNamespace implements AsyncDisposable {
  readonly #calls: MountCalls;
  readonly #namespace: FileHandle;

  private constructor(calls: MountCalls, namespace: FileHandle) {
    this.#calls = calls;
    this.#namespace = namespace;
  }

  /**
   * Any program can take the name of another. The namespace is the one that has the pod's
   * directory where a file server has what it shares.
   *
   * @param runtimeDir of the pod's microVM
   * @param points the directory of mount points that the file server shares
   * @throws A3sError `vmm-failed` where the file server is gone
   */
  static async find(
    calls: MountCalls,
    runtimeDir: string,
    points: string,
  ): Promise<ServerNamespace> {
    const shared = await stat(points, { bigint: true });
    for (const { pid, program } of await findTogether(runtimeDir)) {
      if (program !== PROGRAM) continue;
      const namespace = await open(`/proc/${pid}/ns/mnt`).catch(ifMissing);
      if (namespace === undefined) continue;
      let isServer = false;
      try {
        isServer = inMountNamespace(calls, namespace.fd, () => hasShared(shared));
      } finally {
        if (!isServer) await namespace.close();
      }
      if (isServer) return new ServerNamespace(calls, namespace);
    }
    throw new A3sError('vmm-failed', 'Cannot mount paths of the node: the file server is gone');
  }

  /**
   * Moves a mount to the mount point of that name.
   *
   * @returns where it is in this namespace, and what is mounted there after it
   */
  attach(tree: number, name: string): { readonly path: string; readonly table: MountEntry[] } {
    const path = join(SHARED, name);
    // A jail's own does not have this thread.
    const proc = openSync('/proc', O_PATH);
    try {
      const table = inMountNamespace(this.#calls, this.#namespace.fd, () => {
        this.#move(tree, path);
        return this.#table(proc);
      });
      return { path, table };
    } finally {
      closeSync(proc);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespace.close();
  }

  #move(tree: number, path: string): void {
    const point = openSync(path, POINT);
    try {
      this.#calls.moveMount(tree, point);
    } finally {
      closeSync(point);
    }
  }

  #table(proc: number): MountEntry[] {
    const file = this.#calls.openAt(proc, 'thread-self/mountinfo');
    try {
      return parseMountTable(readFileSync(file, 'utf8'));
    } finally {
      closeSync(file);
    }
  }
}

function hasShared(shared: BigIntStats): boolean {
  const found = lstatSync(SHARED, { bigint: true, throwIfNoEntry: false });
  return found?.dev === shared.dev && found.ino === shared.ino;
}
