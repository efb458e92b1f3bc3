import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor } from '../e2e/actor.ts';
import { type Installation, install } from '../e2e/installation.ts';
import { scaled } from '../e2e/time-scale.ts';
import { buildImage, type ImageSpec, ociArchive, writeOciLayout } from '../images/build-image.ts';
import { awkwardImage, manyFiles, THROUGH_LINKS } from './awkward-image.ts';
import { differences, type FileTree, readTree } from './file-tree.ts';

/** In `npm test`; the soak takes forty times as many. */
const MANY = Number(process.env['LAYER_FILES'] ?? '5000');
/** Under emulation a box reads a few hundred files a second. */
const TIMEOUT_MS = scaled(300_000 + MANY * 10);

const OUTPUT = { maxBuffer: 1 << 30, encoding: 'utf8', stdio: 'pipe' } as const;

/** What the box itself mounts, or has files of its own in. */
const OF_THE_BOX = ['proc', 'sys', 'dev', 'etc', '.dockerenv'];

let installation: Installation;
let actor: Actor;
let root: string;
let walker: string;

beforeAll(async () => {
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  root = mkdtempSync(join(tmpdir(), 'a3s-layers-'));
  walker = join(root, 'walk');
  execFileSync('gcc', ['-static', '-O2', '-o', walker, join(import.meta.dirname, 'walk.c')]);
});

afterAll(async () => {
  await actor.leave();
  installation.remove();
  rmSync(root, { recursive: true, force: true });
});

/** The image's files as they are in a box. */
async function inBox(image: ImageSpec): Promise<FileTree> {
  const archive = join(root, 'image.tar');
  writeFileSync(archive, ociArchive([buildImage(image)]));
  await actor.ok(['load', '--quiet', '--input', archive], { deadlineMs: TIMEOUT_MS });
  const walk = ['/walk', '/', ...OF_THE_BOX];
  const run = ['run', '--rm', '--network', 'none', String(image.name), ...walk];
  return readTree(await actor.ok(run, { deadlineMs: TIMEOUT_MS }));
}

function layoutOf(image: ImageSpec): string {
  const layout = mkdtempSync(join(root, 'layout-'));
  writeOciLayout(layout, [buildImage(image)]);
  return layout;
}

function unpackedByUmoci(image: ImageSpec): FileTree {
  const bundle = mkdtempSync(join(root, 'bundle-'));
  rmSync(bundle, { recursive: true });
  execFileSync('umoci', ['unpack', '--image', `${layoutOf(image)}:${image.name}`, bundle], OUTPUT);
  return readTree(execFileSync(walker, [join(bundle, 'rootfs'), ...OF_THE_BOX], OUTPUT));
}

function unpackedByPodman(image: ImageSpec): FileTree {
  const storage = ['--root', join(root, 'podman'), '--runroot', join(root, 'podman-run')];
  const podman = (...args: string[]): string =>
    execFileSync('podman', [...storage, ...args], OUTPUT).trim();
  const id = podman('pull', '--quiet', `oci:${layoutOf(image)}:${image.name}`);
  const mounted = podman('image', 'mount', id);
  try {
    return readTree(execFileSync(walker, [mounted, ...OF_THE_BOX], OUTPUT));
  } finally {
    podman('image', 'unmount', id);
    podman('image', 'rm', '--force', id);
  }
}

function without(tree: FileTree, ...paths: readonly string[]): FileTree {
  return new Map([...tree].filter(([path]) => !paths.includes(path)));
}

const programs = () => ({ walk: readFileSync(walker) });

describe.runIf(process.getuid?.() === 0)('the files in a box', () => {
  it('unpacks the same files as umoci and podman from awkward layers', async () => {
    const image = awkwardImage('localhost/awkward:1', programs());
    const box = await inBox(image);
    // umoci leaves out attributes without a value.
    const unlikeUmoci = ['/odd/attributes'];
    expect(
      differences(without(box, ...unlikeUmoci), without(unpackedByUmoci(image), ...unlikeUmoci)),
    ).toEqual([]);
    // podman gives directories without an entry attributes of its own, keeps what a whiteout beside
    // a directory of the same name removes, and knows no time before 1970.
    const unlikePodman = ['/tmp', '/again/old', '/odd/before 1970'];
    expect(
      differences(without(box, ...unlikePodman), without(unpackedByPodman(image), ...unlikePodman)),
    ).toEqual([]);
    expect(box.get('/odd/attributes')).toContain('user.empty=,');
    expect(box.get('/odd/capable')).toContain('security.capability=0100000200200000');
    expect(box.get('/odd/last user')).toContain(' 4294967294 4294967294 ');
    expect(box.get('/odd/linked')).toContain('linked with /a-link-elsewhere');
    expect(box.has('/again/old')).toBe(false);
  });

  it('follows links of lower layers like umoci', async () => {
    const walk = programs();
    const layers = [...THROUGH_LINKS, [{ path: 'walk', data: walk.walk, mode: 0o755 }]];
    const image = { name: 'localhost/links:1', layers };
    // umoci changes the time of a directory that it puts files into.
    const made = ['/usr/lib', '/usr/lib/c'];
    const box = await inBox(image);
    expect(differences(without(box, ...made), without(unpackedByUmoci(image), ...made))).toEqual(
      [],
    );
    expect(box.has('/usr/lib/c/d')).toBe(true);
  });

  it(
    `unpacks an image with ${MANY} files completely`,
    async () => {
      const walk = { path: 'walk', data: programs().walk, mode: 0o755 };
      const image = { name: 'localhost/many:1', layers: [manyFiles(MANY), [walk]] };
      const box = await inBox(image);
      expect(box.size).toBeGreaterThan(MANY);
      expect(differences(box, unpackedByUmoci(image))).toEqual([]);
    },
    3 * TIMEOUT_MS,
  );
});
