/**
 * A hostile host's attack on a layer: changes one byte on its disk. The byte is restored
 * afterwards.
 *
 * @module
 */
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BuiltImage } from '../../test/images/build-image.ts';
import { MARK } from './vault.ts';

/**
 * Calls `use` with the act that changes a byte of the image's last layer; whatever comes of it, the
 * byte is as before.
 *
 * @param home A3S_HOME
 */
export function withByteChanged(
  home: string,
  image: BuiltImage,
  use: (change: () => void) => void,
): void {
  const disk = diskOf(home, image.diffIds.at(-1) ?? '');
  const at = readFileSync(disk).indexOf(MARK);
  if (at < 0) throw new Error(`the program is not on ${disk}`);
  try {
    use(() => write(disk, at, MARK.charCodeAt(0) ^ 1));
  } finally {
    write(disk, at, MARK.charCodeAt(0));
  }
}

function diskOf(home: string, diffId: string): string {
  const hex = diffId.slice('sha256:'.length);
  const found = readdirSync(join(home), { recursive: true, encoding: 'utf8' }).find(
    (path) => path.includes(hex) && path.endsWith('.erofs'),
  );
  if (found === undefined) throw new Error(`there is no disk of the layer ${diffId}`);
  return join(home, found);
}

/** In place: the VM of a box that runs has this very file. */
function write(path: string, at: number, byte: number): void {
  const { mode } = statSync(path);
  chmodSync(path, 0o600);
  const file = openSync(path, 'r+');
  try {
    writeSync(file, Buffer.from([byte]), 0, 1, at);
  } finally {
    closeSync(file);
    chmodSync(path, mode);
  }
}
