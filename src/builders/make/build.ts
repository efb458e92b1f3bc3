/**
 * Makes what builders start from: an image of Debian's Docker daemon.
 *
 * @module
 */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runTool } from '../../boot/make/tool.ts';
import { BUILDER_DOCUMENT, type BuilderDocument, IMAGE_LAYOUT } from '../document.ts';
import { writeImage } from './image.ts';
import { fetchPackages } from './packages.ts';
import { makeRoot } from './root.ts';

export interface BuildOptions {
  /** Packages are kept here, and which they were. */
  readonly cache: string;
  /** A directory, which is replaced. */
  readonly output: string;
  /** Takes the packages that apt has now. */
  readonly update: boolean;
  readonly step: (line: string) => void;
}

export async function buildBuilder({ cache, output, update, step }: BuildOptions): Promise<void> {
  await mkdir(cache, { recursive: true });
  const parent = dirname(output);
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    if (name.startsWith('.builder-')) await rm(join(parent, name), { recursive: true });
  }
  const { packages, debs } = await fetchPackages(cache, update);
  const docker = packages.find((one) => one.package === 'docker.io')?.version ?? '';
  step(`builder   docker.io ${docker}, of ${packages.length} packages`);
  const work = await mkdtemp(join(parent, '.builder-'));
  try {
    const [unpacked, root, made] = ['unpacked', 'root', 'made'].map((name) => join(work, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [unpacked, root, made]) await mkdir(path);
    for (const deb of debs) {
      await runTool('dpkg-deb', ['-x', deb, unpacked], { remedy: 'Use a Debian machine.' });
    }
    await makeRoot(unpacked, root);
    const tag = docker.replace(/^\d+:/, '').replace(/[+~-].*$/, '');
    const name = `localhost/a3s-box/builder:${tag}`;
    const { manifestDigest, layerBytes } = await writeImage(root, join(made, IMAGE_LAYOUT), name);
    const document: BuilderDocument = {
      ...{ name, manifestDigest, layerBytes },
      packages: [...packages],
    };
    await writeFile(join(made, BUILDER_DOCUMENT), `${JSON.stringify(document, null, 2)}\n`);
    await rm(output, { recursive: true, force: true });
    await rename(made, output);
    step(
      `image     ${manifestDigest.slice('sha256:'.length, 19)}, ${Math.round(layerBytes / 1e6)} MB`,
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
