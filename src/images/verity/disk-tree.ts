/**
 * The hash tree behind a disk's EROFS image, made when a confidential box first needs it. Plain
 * boxes neither pay for it nor see it, since EROFS reads nothing behind its own blocks.
 *
 * A file beside the disk records the tree's root once the tree is on disk. Without that record,
 * bytes behind the image are the remains of a crash and are overwritten.
 *
 * @module
 */
import { createReadStream } from 'node:fs';
import { chmod, type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { renameDurably } from '../../durable.ts';
import { A3sError } from '../../errors.ts';
import { parseJson } from '../../parse-json.ts';
import { createDurably } from '../content/files.ts';
import { Staging } from '../content/staging.ts';
import { explainDiskError } from '../disk-budget.ts';
import { BLOCK_SIZE, imageBlocks } from '../erofs/format.ts';
import { writeFully } from '../erofs/sparse-writer.ts';
import { saltOf, type TreeSink, treeBytes, VERITY_BLOCK, verityRoot } from './hash-tree.ts';

/** The values with which the guest checks every block of a disk. */
export interface DiskTree {
  /** Bytes of the EROFS image; the tree begins there. */
  readonly bytes: number;
  /** 64 lower-case hexadecimal digits. */
  readonly root: string;
}

const TreeRecord = z.strictObject({
  bytes: z.int().min(BLOCK_SIZE).multipleOf(BLOCK_SIZE),
  root: z.string().regex(/^[0-9a-f]{64}$/),
});
const MAX_RECORD = 4096;
const PIECE = 1024 * 1024;

/** Path of the file that records a disk's tree. */
export function recordPath(diskPath: string): string {
  return `${diskPath}.verity`;
}

export interface TreeOptions {
  /** Of the disk. */
  readonly path: string;
  /** The layers of the disk, which determine the salt of its tree. */
  readonly diffId: string;
  /** Directory for what is not complete yet. */
  readonly staging: string;
}

/**
 * The disk's tree, every block of it and of the image read and compared; made where it is missing.
 *
 * @throws A3sError `invalid-image` when the disk has changed since its tree was made, `disk-full`
 */
export async function diskTree(options: TreeOptions): Promise<DiskTree> {
  const { path, diffId } = options;
  const recorded = await readRecord(path);
  try {
    if (recorded === undefined) return await makeTree(options);
    await checkTree(path, diffId, recorded);
    return recorded;
  } catch (error) {
    throw explainDiskError(error, dirname(path));
  }
}

async function makeTree({ path, diffId, staging }: TreeOptions): Promise<DiskTree> {
  const place = await Staging.create(staging);
  try {
    const tree = await writable(path, async (file) => {
      const bytes = await imageBytes(file, path);
      place.budget.take(treeBytes(bytes));
      await file.truncate(bytes);
      const root = await rootOf(path, bytes, diffId, (block, offset) =>
        writeFully(file, block, bytes + offset),
      );
      await file.sync();
      return { bytes, root };
    });
    const record = place.nextPath();
    await createDurably(record, async (file) => {
      await file.writeFile(JSON.stringify(tree));
    });
    await renameDurably(record, recordPath(path));
    return tree;
  } finally {
    await place.remove();
  }
}

/** A crash leaves the disk writable for its owner at most, until the tree is made again. */
async function writable<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  await chmod(path, 0o600);
  const file = await open(path, 'r+');
  try {
    return await use(file);
  } finally {
    await file.close();
    await chmod(path, 0o400);
  }
}

async function checkTree(path: string, diffId: string, recorded: DiskTree): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size !== recorded.bytes + treeBytes(recorded.bytes)) throw changed(path);
    const root = await rootOf(path, recorded.bytes, diffId, async (block, offset) => {
      const stored = Buffer.alloc(VERITY_BLOCK);
      const { bytesRead } = await file.read(stored, 0, VERITY_BLOCK, recorded.bytes + offset);
      if (bytesRead !== VERITY_BLOCK || !stored.equals(block)) throw changed(path);
    });
    if (root !== recorded.root) throw changed(path);
  } finally {
    await file.close();
  }
}

async function rootOf(
  path: string,
  bytes: number,
  diffId: string,
  sink: TreeSink,
): Promise<string> {
  const data = createReadStream(path, { end: bytes - 1, highWaterMark: PIECE });
  const root = await verityRoot(data, { bytes, salt: saltOf(diffId), sink });
  return root.toString('hex');
}

/** By its superblock: the file may be longer. */
async function imageBytes(file: FileHandle, path: string): Promise<number> {
  const head = Buffer.alloc(BLOCK_SIZE);
  const { bytesRead } = await file.read(head, 0, BLOCK_SIZE, 0);
  const bytes = (imageBlocks(head.subarray(0, bytesRead)) ?? 0) * BLOCK_SIZE;
  const { size } = await file.stat();
  if (bytes === 0 || bytes > size) throw changed(path);
  return bytes;
}

/** Undefined where the record is missing or cannot be read: the tree is made again then. */
async function readRecord(diskPath: string): Promise<DiskTree | undefined> {
  const text = await readFile(recordPath(diskPath), 'utf8').catch(() => '');
  if (text.length > MAX_RECORD) return undefined;
  return TreeRecord.safeParse(parseJson(text)).data;
}

function changed(path: string): A3sError {
  return new A3sError(
    'invalid-image',
    `Cannot use the disk ${path}: it is not what it was when it was made`,
    { remedy: 'Remove the image and pull or load it again.' },
  );
}
