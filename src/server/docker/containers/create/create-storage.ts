/**
 * The sizes of the writable layer and of `/dev/shm` in Docker's create document.
 *
 * @module
 */
import type { CreateRequest } from '../../../../boxes/create/create-request.ts';
import { A3sError } from '../../../../errors.ts';
import { MAX_DISK_BYTES, MIN_DISK_BYTES } from '../../../../templates/blank-disk.ts';
import { bytesOf } from '../../size.ts';
import { unsupported } from './unsupported-options.ts';

const NAME = 'HostConfig.StorageOpt';

/**
 * The one option that there is, in Docker's spellings: `size=10G`.
 *
 * @throws A3sError `invalid-argument`, `unsupported-option`
 */
export function storageOf(options: Readonly<Record<string, string>>): CreateRequest['storage'] {
  const entries = Object.entries(options);
  for (const [name] of entries) {
    if (name.toLowerCase() === 'size') continue;
    throw unsupported(NAME, `${name.slice(0, 64)}: a writable layer has a size, and nothing else`);
  }
  const [first, second] = entries;
  if (first === undefined) return undefined;
  if (second !== undefined) {
    throw new A3sError('invalid-argument', `${NAME}: size is there twice`);
  }
  const [, text] = first;
  const bytes = bytesOf(text);
  if (bytes === undefined) {
    throw new A3sError('invalid-argument', `${NAME}: invalid size: '${text.slice(0, 64)}'`);
  }
  if (bytes >= MIN_DISK_BYTES && bytes <= MAX_DISK_BYTES) return { bytes, options };
  throw new A3sError(
    'invalid-argument',
    `${NAME}: the size of a writable layer is from ${MIN_DISK_BYTES} to ${MAX_DISK_BYTES} bytes, and not ${bytes}`,
    { remedy: 'Choose another size, such as size=20G.' },
  );
}

/** @throws A3sError `invalid-argument` */
export function shmBytesOf(size: number): number | undefined {
  if (size < 0) throw new A3sError('invalid-argument', 'SHM size can not be less than 0');
  return size === 0 ? undefined : size;
}
