/**
 * The driver of volumes, `local`, and its options: none for a directory, `type=disk` for a disk,
 * `type=sealed` for a disk that only confidential boxes of one launch spec can read, `type=none`
 * with `o=bind` for a directory of the host's own.
 *
 * @module
 */
import { posix } from 'node:path';
import { A3sError } from '../../../errors.ts';
import { BLANK_DISK_BYTES, MAX_DISK_BYTES, MIN_DISK_BYTES } from '../../../templates/blank-disk.ts';
import { checkDriverName } from '../../../volumes/driver-name.ts';
import type { VolumeKind } from '../../../volumes/volume.ts';
import { bytesOf } from '../size.ts';

/** What Docker's driver of that name knows. */
const OPTIONS: readonly string[] = ['type', 'size', 'o', 'device'];

/** What to do instead of a mount that Docker's driver makes on the host. */
const IN_MEMORY = 'Use --tmpfs or --mount type=tmpfs: memory of the box lasts as long as its run.';
const ELSEWHERE = 'Mount it on the host, and its path with -v PATH:TARGET.';

/**
 * @throws A3sError `no-such-driver` in Docker's words for another driver; `unsupported-option` by
 * name for an option or a type that this server does not have; `invalid-argument` for a size that
 * no disk has
 */
export function parseDriver(driver: string, options: Readonly<Record<string, string>>): VolumeKind {
  checkDriverName(driver);
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw refused(
      `invalid option: "${unknown.slice(0, 64)}"`,
      `The options are ${OPTIONS.join(', ')}.`,
    );
  }
  if (Object.keys(options).length === 0) return { options: {} };
  const { type, size } = options;
  if (type === undefined) {
    const [name = ''] = Object.keys(options);
    throw refused(
      `the option ${name} belongs to a type`,
      'Add --opt type=disk for a disk, --opt type=none for a directory of the host, or leave all options out for a directory.',
    );
  }
  if (type === 'none') return { options, device: deviceOf(options) };
  if (type !== 'disk' && type !== 'sealed') {
    throw refused(
      `the type ${type.slice(0, 64)} is a mount of the host's, and this server mounts nothing there`,
      type === 'tmpfs' ? IN_MEMORY : ELSEWHERE,
    );
  }
  const foreign = ['o', 'device'].find((name) => name in options);
  if (foreign !== undefined) {
    throw refused(
      `the option ${foreign} does not belong to type=${type}: the guest chooses how it mounts its ext4`,
      'Leave it out. Mount the volume with :ro where nothing may write to it.',
    );
  }
  return {
    ...{ options, diskBytes: size === undefined ? BLANK_DISK_BYTES : diskBytes(size) },
    ...(type === 'sealed' ? { sealed: true } : {}),
  };
}

/** The host's directory, which `o=bind` mounts as it is. */
function deviceOf({ o = '', device = '', size }: Readonly<Record<string, string>>): string {
  if (size !== undefined) {
    throw refused('the option size does not belong to type=none', 'Leave it out.');
  }
  if (o !== 'bind' && o !== 'rbind') {
    throw refused(
      `o=${o.slice(0, 64)} of type=none is not supported`,
      'Write o=bind. Mount the volume with :ro where nothing may write to it.',
    );
  }
  if (device.startsWith('/')) return posix.normalize(device);
  throw new A3sError(
    'invalid-argument',
    `Cannot create the volume: device must be an absolute path, and not '${device.slice(0, 128)}'`,
    { remedy: 'Add --opt device=/PATH.' },
  );
}

function diskBytes(size: string): number {
  const bytes = bytesOf(size);
  if (bytes !== undefined && bytes >= MIN_DISK_BYTES && bytes <= MAX_DISK_BYTES) return bytes;
  const shown = size.slice(0, 64);
  throw new A3sError(
    'invalid-argument',
    bytes === undefined
      ? `Cannot create the volume: invalid size: '${shown}'`
      : `Cannot create the volume: the size of a disk is from ${MIN_DISK_BYTES} to ${MAX_DISK_BYTES} bytes, and not ${bytes}`,
    { remedy: 'Choose another size, such as size=10G.' },
  );
}

function refused(why: string, remedy: string): A3sError {
  return new A3sError('unsupported-option', `Cannot create the volume: ${why}`, { remedy });
}
