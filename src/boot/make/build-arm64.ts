/**
 * Makes a boot set that plain boxes of arm64 boot from. It is made on demand, beside the set of
 * this installation.
 *
 * @module
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BootSet, readBootSet } from '../bootset.ts';
import { ARM64_BOOT_SET_SCHEMA, type Arm64BootDocument, bootSetId } from '../document.ts';
import { ARM64_COMMAND_LINE } from '../profiles.ts';
import { checkArm64Image } from './arm64-image.ts';
import {
  artefact,
  type BuildOptions,
  describeUserland,
  makeUserland,
  putInPlace,
  readInputs,
  removeLeftovers,
  writeSet,
} from './build.ts';
import { foreignApt } from './foreign-apt.ts';
import {
  fetchKernelPackage,
  isCached,
  type KernelPackage,
  pinKernelPackage,
  pinnedKernelPackage,
  resolveKernelPackage,
  unpackKernelPackage,
} from './kernel-package.ts';

const META_PACKAGE = 'linux-image-cloud-arm64';
/** Of the kernel that was used last, in the cache. */
const PIN = 'kernel-arm64.json';

/** @returns the set; a build with the same kernel, sources and tools makes the same one */
export async function buildArm64BootSet(
  options: Pick<BuildOptions, 'root' | 'output' | 'update' | 'erofsWriter' | 'step'>,
): Promise<BootSet> {
  const { root, output, update, erofsWriter, step } = options;
  const cache = join(root, 'build', 'cache');
  await mkdir(cache, { recursive: true });
  await removeLeftovers(cache, 'download-');
  await removeLeftovers(dirname(output), '.boot-');
  const inputs = await readInputs(root, erofsWriter, undefined);
  const pinned = update ? undefined : await pinnedKernelPackage(cache, PIN);
  await mkdir(dirname(output), { recursive: true });
  const work = await mkdtemp(join(dirname(output), '.boot-'));
  try {
    const { kernel, deb } = await obtainKernel(cache, pinned, work);
    step(`kernel    ${kernel.package} ${kernel.version}`);
    const tree = await unpackKernelPackage(deb, join(work, 'kernel'));
    checkArm64Image(tree.image);
    step(`agent     ${inputs.version}, compiled by ${inputs.go}`);
    const made = await makeUserland(options, {
      profile: 'plain',
      ...{ architecture: 'arm64', tree, inputs, cache, work },
    });
    const { agent, modules } = describeUserland(made);
    const content: Omit<Arm64BootDocument, 'id'> = {
      schema: ARM64_BOOT_SET_SCHEMA,
      architecture: 'arm64',
      profile: 'plain',
      files: { Image: artefact(tree.image), initrd: artefact(made.initrd) },
      commandLine: [...ARM64_COMMAND_LINE],
      kernel: { ...kernel, release: tree.release },
      agent: { version: inputs.version, go: inputs.go, source: inputs.source, binary: agent },
      modules,
      erofs: inputs.erofs,
    };
    const files = { Image: tree.image, initrd: made.initrd };
    await writeSet(join(work, 'set'), files, { ...content, id: bootSetId(content) });
    await putInPlace(join(work, 'set'), output);
    await pinKernelPackage(cache, kernel, PIN);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const set = await readBootSet(output);
  step(`${'set'.padEnd(19)} ${set.id}`);
  return set;
}

/** The archive keeps no old kernels, so a pin without its package is of no use. */
async function obtainKernel(
  cache: string,
  pinned: KernelPackage | undefined,
  work: string,
): Promise<{ kernel: KernelPackage; deb: string }> {
  if (pinned !== undefined && (await isCached(cache, pinned))) {
    return { kernel: pinned, deb: await fetchKernelPackage(cache, pinned) };
  }
  const directory = join(work, 'apt');
  await mkdir(directory);
  const env = await foreignApt(directory, 'arm64');
  const kernel = await resolveKernelPackage(META_PACKAGE, env);
  return { kernel, deb: await fetchKernelPackage(cache, kernel, env) };
}
