/**
 * Makes a boot set that plain boxes alone boot from. It has no firmware, which takes minutes to
 * compile, so that a first box can run before that.
 *
 * @module
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BootSet, readBootSet } from '../bootset.ts';
import { bootSetId, PLAIN_BOOT_SET_SCHEMA, type PlainBootDocument } from '../document.ts';
import { PLAIN_COMMAND_LINE } from '../profiles.ts';
import {
  artefact,
  availableKernel,
  type BuildOptions,
  describeUserland,
  makeUserland,
  putInPlace,
  readInputs,
  removeLeftovers,
  writeSet,
} from './build.ts';
import { extractVmlinux } from './bzimage.ts';
import {
  fetchKernelPackage,
  pinKernelPackage,
  pinnedKernelPackage,
  unpackKernelPackage,
} from './kernel-package.ts';

/** The full set that replaces this one uses the same pinned kernel. */
export async function buildPlainBootSet(
  options: Pick<BuildOptions, 'root' | 'output' | 'erofsWriter' | 'step'>,
): Promise<BootSet> {
  const { root, output, erofsWriter, step } = options;
  const cache = join(root, 'build', 'cache');
  await mkdir(cache, { recursive: true });
  await removeLeftovers(cache, 'download-');
  await removeLeftovers(dirname(output), '.boot-');
  const inputs = await readInputs(root, erofsWriter, undefined);
  const kernel = await availableKernel(cache, await pinnedKernelPackage(cache));
  await mkdir(dirname(output), { recursive: true });
  const work = await mkdtemp(join(dirname(output), '.boot-'));
  try {
    step(`kernel    ${kernel.package} ${kernel.version}`);
    const deb = await fetchKernelPackage(cache, kernel);
    const tree = await unpackKernelPackage(deb, join(work, 'kernel'));
    const { image: bzImage } = tree;
    step(`agent     ${inputs.version}, compiled by ${inputs.go}`);
    const made = await makeUserland(options, {
      profile: 'plain',
      ...{ architecture: 'amd64', tree, inputs, cache, work },
    });
    const files = { vmlinux: await extractVmlinux(bzImage), bzImage, initrd: made.initrd };
    const { agent, modules } = describeUserland(made);
    const content: Omit<PlainBootDocument, 'id'> = {
      schema: PLAIN_BOOT_SET_SCHEMA,
      profile: 'plain',
      files: {
        vmlinux: artefact(files.vmlinux),
        bzImage: artefact(bzImage),
        initrd: artefact(made.initrd),
      },
      commandLine: [...PLAIN_COMMAND_LINE],
      kernel: { ...kernel, release: tree.release },
      agent: { version: inputs.version, go: inputs.go, source: inputs.source, binary: agent },
      modules,
      erofs: inputs.erofs,
    };
    await writeSet(join(work, 'set'), files, { ...content, id: bootSetId(content) });
    await putInPlace(join(work, 'set'), output);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await pinKernelPackage(cache, kernel);
  const set = await readBootSet(output);
  step(`${'set'.padEnd(19)} ${set.id}`);
  return set;
}
