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
  symlinkSync,
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

/** Where a run of the tests has its one installation; see `global-setup.ts`. */
const OF_THE_RUN = 'A3S_TEST_INSTALLATION';

/** The one of this run of the tests, which outlives `remove`; otherwise one of the caller's own. */
export async function install(): Promise<Installation> {
  const root = process.env[OF_THE_RUN];
  return root === undefined ? await makeInstallation() : installationAt(root, () => {});
}

/**
 * Has every file of this run of the tests share one. Who made it removes it: the runner of
 * `npm test`, or Vitest.
 */
export async function installForAll(): Promise<Installation> {
  if (process.env[OF_THE_RUN] !== undefined) return await install();
  const installation = await makeInstallation();
  process.env[OF_THE_RUN] = installation.root;
  return installation;
}

/**
 * Where engines that tests make by themselves keep what they find of KVM: for the whole run, or in
 * `own`.
 */
export function engineCache(own: string): string {
  return join(process.env[OF_THE_RUN] ?? own, 'engine-accelerator.json');
}

function installationAt(root: string, remove: () => void): Installation {
  return {
    root,
    cli: join(root, 'dist/a3s-box.cjs'),
    archives: {
      busybox: join(root, 'images/busybox.tar'),
      distroless: join(root, 'images/distroless.tar'),
    },
    remove,
  };
}

async function makeInstallation(): Promise<Installation> {
  if (!existsSync(join(DIST, 'boot/boot.json'))) {
    throw new Error('dist/ is incomplete: run npm run setup first');
  }
  const root = mkdtempSync(join(tmpdir(), 'a3s-e2e-'));
  // The builder's image is large, and nobody writes to it.
  const builder = join(DIST, 'builder');
  cpSync(DIST, join(root, 'dist'), { recursive: true, filter: (path) => path !== builder });
  symlinkSync(builder, join(root, 'dist/builder'));
  mkdirSync(join(root, 'images'));
  const installation = installationAt(root, () => rmSync(root, { recursive: true, force: true }));
  const { archives } = installation;
  const write = (path: string, image: ImageSpec) =>
    writeFileSync(path, dockerArchive([buildImage(image)]));
  write(archives.busybox, withProbes(busyboxImage(BUSYBOX), root));
  write(archives.distroless, distrolessImage(DISTROLESS));
  // mkdtemp makes it private; the ordinary user comes in as well.
  chmodSync(root, 0o755);
  return installation;
}

/** What busybox lacks: which address families have sockets, UDP, and what inotify reports. */
const PROBES = ['socket-probe', 'watch-probe'];

function withProbes(image: ImageSpec, directory: string): ImageSpec {
  const layer = PROBES.map((name) => {
    const program = join(directory, name);
    const source = join(import.meta.dirname, `${name}.c`);
    execFileSync('gcc', ['-static', '-O2', '-o', program, source]);
    return { path: `bin/${name}`, mode: 0o755, data: readFileSync(program) };
  });
  return { ...image, layers: [...image.layers, layer] };
}
