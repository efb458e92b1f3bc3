/**
 * Headers of the tar archives that `cp` sends: ustar, with a PAX record for what does not fit.
 *
 * @module
 */

const BLOCK = 512;
const MAX_NAME = 100;

export interface TarFile {
  /** Of ustar: `0` a file, `2` a symbolic link, `5` a directory, `6` a FIFO. */
  readonly type: '0' | '2' | '5' | '6';
  /** Bytes, each as one character of its code. */
  readonly name: string;
  /** The target of a symbolic link, written the same way. */
  readonly link: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

export function tarHeader(file: TarFile): Buffer {
  const records = [
    file.name.length > MAX_NAME || !isAscii(file.name) ? record('path', file.name) : '',
    file.link.length > MAX_NAME || !isAscii(file.link) ? record('linkpath', file.link) : '',
    file.size >= 8 ** 11 ? record('size', String(file.size)) : '',
    file.uid >= 8 ** 7 ? record('uid', String(file.uid)) : '',
    file.gid >= 8 ** 7 ? record('gid', String(file.gid)) : '',
  ].join('');
  if (records === '') return block(file);
  const extended: TarFile = {
    ...{ type: '0', name: 'PaxHeaders/entry', link: '', mode: 0o644, uid: 0, gid: 0, mtime: 0 },
    size: records.length,
  };
  const body = Buffer.from(records, 'latin1');
  return Buffer.concat([block(extended, 'x'), body, paddingOf(body.length), block(file)]);
}

/** The zeros between so much data and the next header. */
export function paddingOf(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

export function endOfTar(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** What a record replaces is cut off here. */
function block(file: TarFile, type: string = file.type): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  bytes.write(file.name.slice(0, MAX_NAME), 0, 'latin1');
  octal(bytes, file.mode, 100, 8);
  octal(bytes, file.uid, 108, 8);
  octal(bytes, file.gid, 116, 8);
  octal(bytes, file.size, 124, 12);
  octal(bytes, file.mtime, 136, 12);
  bytes.fill(' ', 148, 156);
  bytes.write(type, 156, 'latin1');
  bytes.write(file.link.slice(0, MAX_NAME), 157, 'latin1');
  bytes.write('ustar\u000000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function octal(bytes: Buffer, value: number, offset: number, width: number): void {
  const fits = value < 8 ** (width - 1) ? value : 0;
  bytes.write(`${fits.toString(8).padStart(width - 1, '0')}\0`, offset, width, 'latin1');
}

/** `LENGTH NAME=VALUE\n`, where the length counts its own digits. */
function record(name: string, value: string): string {
  const rest = ` ${name}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return `${length}${rest}`;
}
