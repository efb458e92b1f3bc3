/**
 * `ImageFsInfo`.
 *
 * @module
 */
import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';

/** stat(2) counts blocks of this size, whatever the file system's are. */
const STAT_BLOCK = 512;

/**
 * Images, and writable layers of boxes and containers: all lie in the home, and so in one file
 * system.
 */
export async function imageFsInfo(
  rt: Pick<CriHost, 'home'>,
): Promise<Answer<cri.ImageFsInfoResponse>> {
  const timestamp = BigInt(Date.now()) * 1_000_000n;
  const of = async (...names: readonly string[]): Promise<Answer<cri.FilesystemUsage>> => {
    let [bytes, inodes] = [0n, 0n];
    for (const name of names) {
      const used = await usage(join(rt.home, name));
      bytes += used.bytes;
      inodes += used.inodes;
    }
    return {
      timestamp,
      // Kubelet reads the file system's size and free space at this path.
      fsId: { mountpoint: rt.home },
      usedBytes: { value: bytes },
      inodesUsed: { value: inodes },
    };
  };
  const [images, boxes] = [await of('images'), await of('boxes', 'pods')];
  return { imageFilesystems: [images], containerFilesystems: [boxes] };
}

interface Usage {
  readonly bytes: bigint;
  readonly inodes: bigint;
}

/** What lies in a directory, each file once. Files come and go meanwhile. */
async function usage(directory: string): Promise<Usage> {
  const seen = new Set<number>();
  let bytes = 0;
  const count = async (path: string): Promise<void> => {
    const { ino, blocks } = await lstat(path);
    if (seen.has(ino)) return;
    seen.add(ino);
    bytes += blocks * STAT_BLOCK;
  };
  const visit = async (path: string): Promise<void> => {
    for (const entry of await unlessGone(readdir(path, { withFileTypes: true }), [] as Dirent[])) {
      const child = join(path, entry.name);
      await unlessGone(count(child), undefined);
      if (entry.isDirectory()) await visit(child);
    }
  };
  await visit(directory);
  return { bytes: BigInt(bytes), inodes: BigInt(seen.size) };
}

async function unlessGone<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw error;
  }
}
