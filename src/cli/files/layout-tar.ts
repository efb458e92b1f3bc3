/**
 * A directory as a tar stream, to send an OCI layout to the server.
 *
 * Only directories and regular files are allowed, in order of name. Anything else is refused, so
 * that no file outside of the directory is read.
 *
 * @module
 */
import { constants, type Dirent } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';

const BLOCK = 512;
const CHUNK = 256 * 1024;
/** The largest number in the size field of a ustar header. */
const MAX_SIZE = 8 ** 11 - 1;

/**
 * @throws A3sError `invalid-image` for a link or special file, or a file that changes while it is
 * read
 */
export async function* tarDirectory(root: string): AsyncGenerator<Buffer> {
  yield* entries(root, '');
  yield Buffer.alloc(2 * BLOCK);
}

async function* entries(root: string, prefix: string): AsyncGenerator<Buffer> {
  const children = await readdir(join(root, prefix), { withFileTypes: true });
  for (const child of children.sort(byName)) {
    const name = `${prefix}${child.name}`;
    if (child.isDirectory()) {
      yield header(`${name}/`, 0, '5');
      yield* entries(root, `${name}/`);
    } else if (child.isFile()) {
      yield* file(root, name);
    } else {
      throw new A3sError('invalid-image', `${join(root, name)} is neither a file nor a directory`, {
        remedy: 'An OCI layout has neither links nor special files.',
      });
    }
  }
}

async function* file(root: string, name: string): AsyncGenerator<Buffer> {
  const path = join(root, name);
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await handle.stat();
    if (size > MAX_SIZE)
      throw new A3sError('too-large', `${path} is larger than a tar entry can be`);
    yield header(name, size, '0');
    yield* content(handle, path, size);
    const rest = size % BLOCK;
    if (rest > 0) yield Buffer.alloc(BLOCK - rest);
  } finally {
    await handle.close();
  }
}

async function* content(handle: FileHandle, path: string, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const { bytesRead, buffer } = await handle.read(
      Buffer.allocUnsafe(Math.min(CHUNK, size - at)),
      0,
      Math.min(CHUNK, size - at),
      at,
    );
    if (bytesRead === 0) throw new A3sError('invalid-image', `${path} became shorter while read`);
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function header(name: string, size: number, type: '0' | '5'): Buffer {
  const block = Buffer.alloc(BLOCK);
  const bytes = Buffer.from(name);
  // `blobs/sha256/<64 digits>` is 77 bytes: a name that does not fit is not part of a layout.
  if (bytes.length > 100) throw new A3sError('invalid-image', `The name is too long: ${name}`);
  bytes.copy(block, 0);
  block.write(type === '5' ? '0000755\0' : '0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function byName(a: Dirent, b: Dirent): number {
  return a.name < b.name ? -1 : 1;
}
