/**
 * Verifies the disks of boxes, and reads a file of theirs, without a microVM.
 *
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** In memory, as the disks of the test themselves. */
const DIRECTORY = '/dev/shm';
const BASE = 'changes.ext4';
const LAYER = /^changes\.(\d+)\.qcow2$/;
/** Where the new files of a restored box lie until its disk is used. */
const RESTORED = 'restored';
/** Exit statuses of e2fsck and of qemu-img. */
const REPAIRED = 1;
const LEAKED = 3;

/**
 * A file below the root of a box, from its writable layer: undefined where it is not there, or the
 * box has no such disk yet.
 *
 * @param directory of the box, or of a snapshot
 * @throws Error for a disk that is not whole
 */
export function readWritten(directory: string, path: string): string | undefined {
  const restored = join(directory, RESTORED);
  const files = chainOf(existsSync(restored) ? restored : directory);
  return files === undefined ? undefined : readFrom(files, `/upper/${path}`);
}

/** A file of a volume that is a disk. */
export function readFromDisk(disk: string, path: string): string | undefined {
  return readFrom([disk], `/data/${path}`);
}

/** The base, and the layers above it. */
function chainOf(directory: string): readonly [string, ...string[]] | undefined {
  if (!existsSync(join(directory, BASE))) return undefined;
  const numberOf = (name: string): number => Number(LAYER.exec(name)?.[1]);
  const layers = readdirSync(directory).filter((name) => LAYER.test(name));
  layers.sort((a, b) => numberOf(a) - numberOf(b));
  return [join(directory, BASE), ...layers.map((name) => join(directory, name))];
}

function readFrom([base, ...layers]: readonly [string, ...string[]], path: string) {
  const directory = mkdtempSync(join(DIRECTORY, 'a3s-disk-'));
  try {
    for (const layer of layers) checkLayer(layer);
    const flat = join(directory, 'flat');
    const top = layers.reduce<Blockdev>(overlay, { driver: 'raw', file: fileOf(base) });
    execFileSync('qemu-img', ['convert', '-U', '-O', 'raw', `json:${JSON.stringify(top)}`, flat]);
    // Replays the journal, as the guest's kernel does when it mounts the disk.
    const checked = spawnSync('e2fsck', ['-f', '-p', flat], { encoding: 'utf8' });
    if (checked.status === null || checked.status > REPAIRED) {
      throw new Error(`${base} is damaged: ${checked.stdout}${checked.stderr}`);
    }
    const copy = join(directory, 'copy');
    execFileSync('debugfs', ['-R', `dump ${path} ${copy}`, flat], { stdio: 'pipe' });
    return existsSync(copy) ? readFileSync(copy, 'utf8') : undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Blockdev {
  readonly driver: string;
  readonly file: { readonly driver: 'file'; readonly filename: string };
  readonly backing?: Blockdev;
}

const fileOf = (filename: string) => ({ driver: 'file', filename }) as const;

function overlay(backing: Blockdev, path: string): Blockdev {
  return { driver: 'qcow2', file: fileOf(path), backing };
}

/** Clusters that are counted and not used are what a VMM that was killed leaves. */
function checkLayer(path: string): void {
  const { status, stdout } = spawnSync('qemu-img', ['check', '-U', '-f', 'qcow2', path], {
    encoding: 'utf8',
  });
  if (status !== 0 && status !== LEAKED) throw new Error(`${path} is damaged: ${stdout}`);
}
