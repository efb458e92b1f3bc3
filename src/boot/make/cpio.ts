/**
 * Writes cpio archives in the `newc` format, which the kernel unpacks as its first root.
 *
 * Equal entries give equal bytes: names are sorted, inodes count from 1, and owners and times are
 * zero.
 *
 * @module
 */

export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Buffer }
  | {
      readonly kind: 'character-device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const FILE_TYPE = { directory: 0o040000, file: 0o100000, 'character-device': 0o020000 } as const;
const TRAILER = 'TRAILER!!!';
const BLOCK = 512;

/**
 * The archive's bytes. Paths are relative, without `.` and `..`; a directory precedes what lies in
 * it. Throws `RangeError` for a bad or repeated path and for one whose directory is missing.
 *
 * @param block the archive's length is a multiple of it
 */
export function cpio(entries: readonly CpioEntry[], block = BLOCK): Buffer {
  const sorted = [...entries].sort((a, b) =>
    Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)),
  );
  const seen = new Map<string, CpioEntry['kind']>();
  const pieces: Buffer[] = [];
  for (const [index, entry] of sorted.entries()) {
    checkPath(entry.path, seen);
    seen.set(entry.path, entry.kind);
    pieces.push(header(entry, index + 1));
    if (entry.kind === 'file') pieces.push(padded(entry.data, 4));
  }
  pieces.push(record(TRAILER, { nlink: 1 }));
  return padded(Buffer.concat(pieces), block);
}

function checkPath(path: string, seen: ReadonlyMap<string, CpioEntry['kind']>): void {
  const parts = path.split('/');
  if (
    path.includes('\0') ||
    path === TRAILER ||
    parts.some((p) => p === '' || p === '.' || p === '..')
  ) {
    throw new RangeError(`Cannot archive ${JSON.stringify(path)}: it is no plain relative path`);
  }
  if (seen.has(path)) throw new RangeError(`Cannot archive ${path}: it is there twice`);
  const parent = parts.slice(0, -1).join('/');
  if (parent !== '' && seen.get(parent) !== 'directory') {
    throw new RangeError(`Cannot archive ${path}: ${parent} is no directory of the archive`);
  }
}

function header(entry: CpioEntry, inode: number): Buffer {
  if (entry.mode < 0 || entry.mode > 0o7777)
    throw new RangeError(`Cannot archive ${entry.path}: bad mode`);
  const mode = FILE_TYPE[entry.kind] | entry.mode;
  if (entry.kind === 'directory') return record(entry.path, { inode, mode, nlink: 2 });
  if (entry.kind === 'file') {
    return record(entry.path, { inode, mode, nlink: 1, size: entry.data.length });
  }
  return record(entry.path, { inode, mode, nlink: 1, major: entry.major, minor: entry.minor });
}

function record(
  path: string,
  fields: {
    inode?: number;
    mode?: number;
    nlink: number;
    size?: number;
    major?: number;
    minor?: number;
  },
): Buffer {
  const name = Buffer.from(`${path}\0`);
  const values = [
    fields.inode ?? 0,
    fields.mode ?? 0,
    0, // uid
    0, // gid
    fields.nlink,
    0, // mtime
    fields.size ?? 0,
    0, // major and minor of the device that the file lies on
    0,
    fields.major ?? 0,
    fields.minor ?? 0,
    name.length,
    0, // checksum, of another variant of the format
  ];
  const hex = values.map((value) => value.toString(16).padStart(8, '0')).join('');
  return padded(Buffer.concat([Buffer.from(`070701${hex}`), name]), 4);
}

function padded(bytes: Buffer, alignment: number): Buffer {
  const missing = (alignment - (bytes.length % alignment)) % alignment;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
