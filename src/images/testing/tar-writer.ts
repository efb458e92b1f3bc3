/**
 * Writes tar archives with deterministic bytes, hostile ones included: nothing is checked here.
 *
 * @module
 */

export interface TarFile {
  readonly path: string;
  /** A regular file where it is left out. */
  readonly type?: keyof typeof TYPE_FLAGS;
  readonly data?: Uint8Array | string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970. */
  readonly mtime?: number;
  /** Target of a link. */
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: Readonly<Record<string, Uint8Array | string>>;
  /** PAX records beside those that the other fields need. */
  readonly pax?: Readonly<Record<string, Uint8Array | string>>;
}

const TYPE_FLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
} as const;

const BLOCK = 512;
const MAX_OCTAL_7 = 0o7777777;

/** One archive with its end marker. */
export function writeTar(files: readonly TarFile[]): Buffer {
  return Buffer.concat([...files.flatMap(writeEntry), Buffer.alloc(2 * BLOCK)]);
}

/** The blocks of one entry: a PAX header where needed, the header and the padded data. */
export function writeEntry(file: TarFile): Buffer[] {
  const data = Buffer.from(file.data ?? '');
  const records = paxRecords(file);
  const blocks: Buffer[] = [];
  if (records.length > 0) {
    const body = Buffer.concat(records);
    blocks.push(writeHeader({ path: 'PaxHeaders/entry' }, 'x', body.length), pad(body));
  }
  blocks.push(writeHeader(file, TYPE_FLAGS[file.type ?? 'file'], data.length), pad(data));
  return blocks;
}

function paxRecords(file: TarFile): Buffer[] {
  const records = new Map<string, Uint8Array | string>();
  if (Buffer.byteLength(file.path) > 100) records.set('path', file.path);
  if (Buffer.byteLength(file.target ?? '') > 100) records.set('linkpath', file.target ?? '');
  if ((file.uid ?? 0) > MAX_OCTAL_7) records.set('uid', String(file.uid));
  if ((file.gid ?? 0) > MAX_OCTAL_7) records.set('gid', String(file.gid));
  for (const [name, value] of Object.entries(file.xattrs ?? {})) {
    records.set(`SCHILY.xattr.${name}`, value);
  }
  for (const [name, value] of Object.entries(file.pax ?? {})) records.set(name, value);
  return [...records].map(([name, value]) => paxRecord(name, value));
}

/** `LENGTH NAME=VALUE\n`, where the length counts its own digits. */
function paxRecord(name: string, value: Uint8Array | string): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${name}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** A ustar header for `size` bytes of data, checksum included. */
export function writeHeader(file: TarFile, flag: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(file.path.slice(0, 100), 0, 100, 'utf8');
  octal(header, file.mode ?? (flag === '5' ? 0o755 : 0o644), 100, 8);
  octal(header, within(file.uid), 108, 8);
  octal(header, within(file.gid), 116, 8);
  octal(header, size, 124, 12);
  octal(header, file.mtime ?? 0, 136, 12);
  header.write(flag, 156, 1, 'latin1');
  header.write((file.target ?? '').slice(0, 100), 157, 100, 'utf8');
  header.write('ustar\u000000', 257, 'latin1');
  octal(header, file.device?.major ?? 0, 329, 8);
  octal(header, file.device?.minor ?? 0, 337, 8);
  return withChecksum(header);
}

/** Puts the checksum of the other bytes into a header. */
export function withChecksum(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** Numbers too large for the field travel in a PAX record. */
function within(id: number | undefined): number {
  return (id ?? 0) > MAX_OCTAL_7 ? 0 : (id ?? 0);
}

function octal(header: Buffer, value: number, offset: number, width: number): void {
  header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset, width, 'latin1');
}

function pad(data: Buffer): Buffer {
  const rest = data.length % BLOCK;
  return rest === 0 ? data : Buffer.concat([data, Buffer.alloc(BLOCK - rest)]);
}
