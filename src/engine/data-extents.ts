/**
 * Finds where a sparse file has data (`SEEK_DATA`, lseek(2)). Reading the rest would fill the page
 * cache with zeros.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import { libc } from './libc.ts';

export interface Extent {
  /** In bytes. */
  readonly start: number;
  /** The offset behind the last byte. */
  readonly end: number;
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const ENXIO = 6;

/**
 * The extents in rising order; none is empty. A file system without holes reports the whole file as
 * data.
 *
 * @param size of the file
 */
export async function* dataExtents(fd: number, size: number): AsyncGenerator<Extent> {
  const { lseek, errno } = await libc();
  let from = 0;
  while (from < size) {
    const start = lseek(fd, from, SEEK_DATA);
    if (start < 0) {
      if (errno() === ENXIO) return;
      throw failed(errno());
    }
    const end = lseek(fd, start, SEEK_HOLE);
    if (end < 0) throw failed(errno());
    if (start < from) throw failed(0);
    if (start >= size) return;
    // Another process made a hole between the two calls.
    if (end <= start) {
      from = start + 1;
      continue;
    }
    yield { start, end: Math.min(end, size) };
    from = end;
  }
}

function failed(errno: number): A3sError {
  return new A3sError('internal', `Cannot find the data of a sparse file: error ${errno}`);
}
