/**
 * Makes the boot set of this checkout: kernel, initrd with the agent, and `boot.json`.
 *
 * @module
 */
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { type BootSet, readBootSet } from '../bootset.ts';
import { sha256, sourceDigest } from '../digest.ts';
import {
  type AnyBootDocument,
  BOOT_FILES,
  BOOT_SET_SCHEMA,
  type BootDocument,
  type BootFile,
  bootSetId,
  documentText,
  filesOf,
  VCPU_TYPE,
} from '../document.ts';
import type { Firmware } from '../firmware.ts';
import {
  AGENT_PACKAGES,
  CONFIDENTIAL_COMMAND_LINES,
  LAUNCH_POLICY,
  LAUNCH_SPEC_REVISION,
  PLAIN_COMMAND_LINE,
} from '../profiles.ts';
import { type Architecture, buildAgent, goVersion } from './agent.ts';
import { extractVmlinux } from './bzimage.ts';
import { makeInitrd } from './initrd.ts';
import {
  fetchKernelPackage,
  isCached,
  type KernelPackage,
  type KernelTree,
  pinKernelPackage,
  pinnedKernelPackage,
  resolveKernelPackage,
  unpackKernelPackage,
} from './kernel-package.ts';
import { type KernelModule, loadModules, MODULE_PROFILES, type ModuleProfile } from './modules.ts';

const LEFTOVER_MS = 3_600_000;

export interface BuildOptions {
  /** Root of the checkout. */
  readonly root: string;
  /** Directory of the set, which is replaced as a whole. */
  readonly output: string;
  /**
   * Takes the kernel and the firmware that apt offers now, instead of those that the last build
   * took.
   */
  readonly update: boolean;
  /** Name and version of the program that writes the layers that this set mounts. */
  readonly erofsWriter: string;
  /**
   * Makes the firmware of confidential boxes, or takes it from `cache`, where an earlier build left
   * it.
   */
  readonly firmware: (cache: string) => Promise<Firmware>;
  readonly step: (line: string) => void;
}

/** The set, and whether the build changed anything. */
export async function buildBootSet(
  options: BuildOptions,
): Promise<{ set: BootSet; built: boolean }> {
  if (process.arch !== 'x64') {
    throw new A3sError('internal', `Cannot build a boot set on ${process.arch}: only x64 is done`);
  }
  const cache = join(options.root, 'build', 'cache');
  await mkdir(cache, { recursive: true });
  await removeLeftovers(cache, 'download-');
  await removeLeftovers(dirname(options.output), '.boot-');
  await removeLeftovers(cache, 'firmware-work-');
  const firmware = await options.firmware(cache);
  const inputs = await readInputs(options.root, options.erofsWriter, firmware);
  const pinned = options.update ? undefined : await pinnedKernelPackage(cache);
  const stamp = join(cache, 'boot.inputs');
  if (pinned !== undefined) {
    const there = await readBootSet(options.output).catch(() => undefined);
    const text = await readFile(stamp, 'utf8').catch(() => '');
    if (there !== undefined && text === stampText(inputs, pinned, there.id)) {
      return { set: there, built: false };
    }
  }
  const kernel = await availableKernel(cache, pinned);
  const set = await build(options, cache, inputs, kernel, firmware);
  await pinKernelPackage(cache, kernel);
  await writeFile(stamp, stampText(inputs, kernel, set.id));
  return { set, built: true };
}

/** The archive keeps no old kernels: a pin without its package cannot be used. */
export async function availableKernel(
  cache: string,
  pinned: KernelPackage | undefined,
): Promise<KernelPackage> {
  const kept = pinned !== undefined && (await isCached(cache, pinned));
  return kept ? pinned : await resolveKernelPackage();
}

/** Removes old files that killed builds left behind; a build takes minutes at most. */
export async function removeLeftovers(directory: string, prefix: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((entry) => entry.startsWith(prefix))) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || Date.now() - found.mtimeMs < LEFTOVER_MS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

/** The inputs of a set, beside its kernel. */
interface Inputs {
  readonly source: string;
  readonly go: string;
  readonly erofs: string;
  /** `none` for a set that plain boxes alone boot from. */
  readonly firmware: string;
  readonly version: string;
  /** Of the code that builds. */
  readonly builder: string;
}

export async function readInputs(
  root: string,
  erofs: string,
  firmware: Firmware | undefined,
): Promise<Inputs> {
  const agent = join(root, 'native', 'agent');
  const [source, go, manifest, builder] = await Promise.all([
    sourceDigest(agent),
    goVersion(),
    readFile(join(root, 'src', 'package.json'), 'utf8'),
    builderDigest(join(root, 'src', 'boot')),
  ]);
  const { version } = JSON.parse(manifest) as { version: string };
  return { source, go, erofs, firmware: digestOfFirmware(firmware), version, builder };
}

function digestOfFirmware(firmware: Firmware | undefined): string {
  if (firmware === undefined) return 'none';
  const { image, ...origin } = firmware;
  return sha256(`${sha256(image)} ${JSON.stringify(origin)}`);
}

async function builderDigest(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => entry.name)
    .sort();
  const files = await Promise.all(names.map((name) => readFile(join(directory, name))));
  return sha256(Buffer.concat(files));
}

function stampText(inputs: Inputs, kernel: KernelPackage, id: string): string {
  return `${JSON.stringify({ inputs, kernel, modules: MODULE_PROFILES, id })}\n`;
}

async function build(
  options: BuildOptions,
  cache: string,
  inputs: Inputs,
  kernel: KernelPackage,
  firmware: Firmware,
): Promise<BootSet> {
  const { output, step } = options;
  await mkdir(dirname(output), { recursive: true });
  const work = await mkdtemp(join(dirname(output), '.boot-'));
  try {
    step(`kernel    ${kernel.package} ${kernel.version}`);
    const deb = await fetchKernelPackage(cache, kernel);
    const tree = await unpackKernelPackage(deb, join(work, 'kernel'));
    step(`agent     ${inputs.version}, compiled by ${inputs.go}`);
    const userland = (profile: ModuleProfile): Promise<Userland> =>
      makeUserland(options, { profile, architecture: 'amd64', tree, inputs, cache, work });
    const made = { plain: await userland('plain'), confidential: await userland('confidential') };
    const files: Files = {
      vmlinux: await extractVmlinux(tree.image),
      bzImage: tree.image,
      initrd: made.plain.initrd,
      'initrd-confidential': made.confidential.initrd,
      'OVMF.fd': firmware.image,
    };
    const document = describe(files, made, inputs, { ...kernel, release: tree.release }, firmware);
    await writeSet(join(work, 'set'), files, document);
    await putInPlace(join(work, 'set'), output);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const set = await readBootSet(output);
  for (const name of BOOT_FILES) step(`${name.padEnd(19)} ${sha256Of(set, name)}`);
  step(`${'set'.padEnd(19)} ${set.id}`);
  return set;
}

type Files = Readonly<Record<BootFile, Buffer>>;

/** The inputs that a kernel starts with. */
interface Userland {
  readonly agent: Buffer;
  readonly modules: readonly KernelModule[];
  readonly initrd: Buffer;
}

export async function makeUserland(
  { root, step }: Pick<BuildOptions, 'root' | 'step'>,
  from: {
    readonly profile: ModuleProfile;
    readonly architecture: Architecture;
    readonly tree: KernelTree;
    readonly inputs: Inputs;
    readonly cache: string;
    readonly work: string;
  },
): Promise<Userland> {
  const { profile, architecture, tree, inputs, cache, work } = from;
  const loaded = await loadModules(tree.modules, tree.release, MODULE_PROFILES[profile]);
  const { modules, missing } = loaded;
  step(`modules   ${profile}: ${modules.map(({ name }) => name).join(' ')}`);
  for (const [use, names] of missing) {
    step(`modules   ${profile}: nothing for ${use}, as the kernel has no ${names.join(', ')}`);
  }
  const agent = await buildAgent(join(root, 'native', 'agent'), join(work, `agent-${profile}`), {
    package: AGENT_PACKAGES[profile],
    architecture,
    version: inputs.version,
    cache: join(cache, 'go'),
  });
  return { agent, modules, initrd: makeInitrd(agent, loaded) };
}

/** A userland in `boot.json`. */
export function describeUserland({ agent, modules }: Userland) {
  return {
    modules: modules.map(({ name, data }) => ({ name, ...artefact(data) })),
    agent: artefact(agent),
  };
}

function describe(
  files: Files,
  made: Readonly<Record<ModuleProfile, Userland>>,
  inputs: Inputs,
  kernel: BootDocument['kernel'],
  { source, platform, tools }: Firmware,
): BootDocument {
  const { snp, simulated } = CONFIDENTIAL_COMMAND_LINES;
  const content: Omit<BootDocument, 'id'> = {
    schema: BOOT_SET_SCHEMA,
    files: {
      vmlinux: artefact(files.vmlinux),
      bzImage: artefact(files.bzImage),
      initrd: artefact(files.initrd),
      'initrd-confidential': artefact(files['initrd-confidential']),
      'OVMF.fd': artefact(files['OVMF.fd']),
    },
    kernel,
    agent: { version: inputs.version, go: inputs.go, source: inputs.source },
    erofs: inputs.erofs,
    plain: { commandLine: [...PLAIN_COMMAND_LINE], ...describeUserland(made.plain) },
    confidential: {
      commandLines: { snp: [...snp], simulated: [...simulated] },
      ...describeUserland(made.confidential),
      launchSpec: LAUNCH_SPEC_REVISION,
      firmware: { source, platform, tools },
      vcpuType: VCPU_TYPE,
      policy: `0x${LAUNCH_POLICY.toString(16)}`,
    },
  };
  return { ...content, id: bootSetId(content) };
}

function sha256Of(set: BootSet, name: BootFile): string {
  return new Map(filesOf(set.document)).get(name)?.sha256 ?? '';
}

export function artefact(data: Buffer): { sha256: string; size: number } {
  return { sha256: sha256(data), size: data.length };
}

/** Files carry the time 0, so that archives of two equal sets are equal too. */
export async function writeSet(
  directory: string,
  files: Readonly<Record<string, Buffer>>,
  document: AnyBootDocument,
): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  const contents = { ...files, 'boot.json': documentText(document) };
  for (const [name, data] of Object.entries(contents)) {
    const path = join(directory, name);
    await writeFile(path, data, { mode: 0o444, flag: 'wx', flush: true });
    await utimes(path, 0, 0);
  }
}

/** An interruption between the two renames leaves no set, and the next build makes it again. */
export async function putInPlace(from: string, to: string): Promise<void> {
  const old = `${from}.old`;
  await rename(to, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(from, to);
  await rm(old, { recursive: true, force: true });
}
