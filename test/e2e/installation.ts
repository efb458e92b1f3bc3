/**
 * A copy of the product in a place that any user may read, with the images that the tests run.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildImage,
  busyboxImage,
  distrolessImage,
  dockerArchive,
  type ImageSpec,
} from '../images/build-image.ts';

const DIST = join(import.meta.dirname, '../../dist');

export interface Installation {
  readonly root: string;
  readonly cli: string;
  /** Archives by the tag of the image inside. */
  readonly archives: Readonly<Record<'busybox' | 'distroless', string>>;
  remove(): void;
}

/** The tags of the test images. */
export const BUSYBOX = 'test/busybox:1';
export const DISTROLESS = 'test/distroless:1';

export async function install(): Promise<Installation> {
  if (!existsSync(join(DIST, 'boot/boot.json'))) {
    throw new Error('dist/ is incomplete: run npm run setup first');
  }
  const root = mkdtempSync(join(tmpdir(), 'a3s-e2e-'));
  cpSync(DIST, join(root, 'dist'), { recursive: true });
  mkdirSync(join(root, 'images'));
  const archives = {
    busybox: join(root, 'images/busybox.tar'),
    distroless: join(root, 'images/distroless.tar'),
  };
  const write = (path: string, image: ImageSpec) =>
    writeFileSync(path, dockerArchive([buildImage(image)]));
  write(archives.busybox, withSocketProbe(busyboxImage(BUSYBOX), root));
  write(archives.distroless, distrolessImage(DISTROLESS));
  // mkdtemp makes it private; the ordinary user comes in as well.
  chmodSync(root, 0o755);
  return {
    root,
    cli: join(root, 'dist/a3s-box.cjs'),
    archives,
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Adds a program that says whether a socket of an address family can be made; busybox has none. */
function withSocketProbe(image: ImageSpec, directory: string): ImageSpec {
  const probe = join(directory, 'socket-probe');
  const source = join(import.meta.dirname, 'socket-probe.c');
  execFileSync('gcc', ['-static', '-O2', '-o', probe, source]);
  const layer = [{ path: 'bin/socket-probe', mode: 0o755, data: readFileSync(probe) }];
  return { ...image, layers: [...image.layers, layer] };
}
