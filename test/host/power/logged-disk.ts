/**
 * A disk that logs each write and each flush, so that a power cut at any moment can be replayed
 * afterwards.
 *
 * QEMU's storage daemon offers it as a file, with `blklogwrites` below; the kernel's loop device
 * makes a disk of that file.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../e2e/processes.ts';

/** In memory: what is tested asks for many flushes. */
const DIRECTORY = '/dev/shm';
const FILE_SYSTEM = process.env['POWER_FS'] ?? 'ext4';
const FEATURES: Readonly<Record<string, readonly string[]>> = {
  ext4: ['-E', 'lazy_itable_init=0,lazy_journal_init=0'],
};
const DISK_BYTES = 512 * 2 ** 20;

export interface LoggedDiskPaths {
  readonly directory: string;
  /** The disk as it was before the log began. */
  readonly before: string;
  readonly disk: string;
  readonly log: string;
}

/** Makes a disk with an empty file system, and the files for its log. */
export function makeDisk(bytes = DISK_BYTES): LoggedDiskPaths {
  const directory = mkdtempSync(join(DIRECTORY, 'a3s-power-'));
  const [before, disk, log] = ['before', 'disk', 'log'].map((name) => join(directory, name));
  if (before === undefined || disk === undefined || log === undefined) throw new Error('no names');
  writeFileSync(before, '');
  truncateSync(before, bytes);
  execFileSync(`mkfs.${FILE_SYSTEM}`, ['-q', ...(FEATURES[FILE_SYSTEM] ?? []), before]);
  execFileSync('cp', ['--sparse=always', before, disk]);
  writeFileSync(log, '');
  return { directory, before, disk, log };
}

/** The options of QEMU for it: the node is named `logged`. */
export function loggedBlockdev({ disk, log }: LoggedDiskPaths): readonly string[] {
  return [
    ...['--blockdev', `driver=file,filename=${disk},node-name=written,discard=ignore`],
    ...['--blockdev', `driver=file,filename=${log},node-name=log`],
    ...[
      '--blockdev',
      `driver=blklogwrites,node-name=logged,file=written,log=log,log-sector-size=512`,
    ],
  ];
}

export class LoggedDisk {
  readonly paths: LoggedDiskPaths;
  readonly #daemon: ChildProcess;
  #loop: string | undefined;
  #mountPoint: string | undefined;

  private constructor(paths: LoggedDiskPaths, daemon: ChildProcess) {
    this.paths = paths;
    this.#daemon = daemon;
  }

  static async mount(paths: LoggedDiskPaths, mountPoint: string): Promise<LoggedDisk> {
    const file = join(paths.directory, 'export');
    writeFileSync(file, '');
    const fuse = `fuse,id=export,node-name=logged,mountpoint=${file},writable=on`;
    const daemon = spawn('qemu-storage-daemon', [...loggedBlockdev(paths), '--export', fuse], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const disk = new LoggedDisk(paths, daemon);
    try {
      await until('the disk is there', () => {
        if (daemon.exitCode !== null) throw new Error('the storage daemon ended');
        return statSync(file).size > 0;
      });
      disk.#loop = attachLoop(file);
      mkdirSync(mountPoint, { recursive: true });
      execFileSync('mount', ['-t', FILE_SYSTEM, disk.#loop, mountPoint]);
      disk.#mountPoint = mountPoint;
      return disk;
    } catch (error) {
      await disk.remove();
      throw error;
    }
  }

  /** Takes it away. Nothing must have files open on it. */
  async unmount(): Promise<void> {
    if (this.#mountPoint !== undefined) await unmount(this.#mountPoint);
    this.#mountPoint = undefined;
    if (this.#loop !== undefined) detachLoop(this.#loop);
    this.#loop = undefined;
    if (this.#daemon.exitCode === null) {
      const ended = once(this.#daemon, 'exit');
      this.#daemon.kill('SIGTERM');
      await ended;
    }
  }

  /** With all its files. */
  async remove(): Promise<void> {
    await this.unmount();
    rmSync(this.paths.directory, { recursive: true, force: true });
  }
}

/** Mounts a disk, and takes it away when `use` has ended: with its file, unless that is kept. */
export async function withMounted<T>(
  image: string,
  mountPoint: string,
  use: () => Promise<T>,
  { keep = false } = {},
): Promise<T> {
  const loop = attachLoop(image);
  try {
    execFileSync('mount', ['-t', FILE_SYSTEM, loop, mountPoint]);
    try {
      return await use();
    } finally {
      await unmount(mountPoint);
    }
  } finally {
    detachLoop(loop);
    if (!keep) rmSync(image);
  }
}

/** A process that has just ended may still be letting go of its files. */
async function unmount(mountPoint: string): Promise<void> {
  await until(`${mountPoint} is let go`, () => {
    const { status, stderr } = spawnSync('umount', [mountPoint], { encoding: 'utf8' });
    if (status !== 0 && !stderr.includes('busy')) throw new Error(stderr);
    return status === 0;
  });
}

/**
 * The kernel lets go of it when the last mount of it is gone: one that another process has in a
 * mount namespace of its own, which it has made meanwhile, outlives ours. So no file is used for
 * two disks.
 */
function detachLoop(loop: string): void {
  execFileSync('losetup', ['--detach', loop]);
}

function attachLoop(file: string): string {
  return execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
}
