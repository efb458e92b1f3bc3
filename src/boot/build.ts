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
import { A3sError } from '../errors.ts';
import { agentSourceDigest, buildAgent, goVersion } from './agent.ts';
import { type BootSet, readBootSet } from './bootset.ts';
import { extractVmlinux } from './bzimage.ts';
import { sha256 } from './digest.ts';
import { BOOT_FILES, BOOT_SET_SCHEMA, type BootDocument, bootSetId } from './document.ts';
import { makeInitrd } from './initrd.ts';
import {
  fetchKernelPackage,
  isCached,
  type KernelPackage,
  pinKernelPackage,
  pinnedKernelPackage,
  resolveKernelPackage,
  unpackKernelPackage,
} from './kernel-package.ts';
import { loadModules } from './modules.ts';

/**
 * The kernel's command line for plain boxes. Nothing that differs between boxes stands here.
 *
 * `cryptomgr.notests` and `no_timer_check` save 0.4 s of 2.5 s under emulation: ciphers are not tested against known vectors at
 * every boot, and the timer interrupt of a virtual machine is not proved to work.
 */
const COMMAND_LINE = [
  'console=ttyS0',
  'quiet',
  'reboot=t',
  'panic=-1',
  'tsc=reliable',
  'cryptomgr.notests=1',
  'no_timer_check',
  // Sessions are not scheduled as groups: processes of a box are in its control group, which goes before that anyhow.
  'noautogroup',
  // RAM that can be plugged in lies above 4 GiB, for which the kernel would set 64 MiB aside: no device here needs copies below.
  'swiotlb=noforce',
  // Of Debian's modules those that need no policy. The others would be asked about every file, process and socket, and know none.
  'lsm=landlock,lockdown,yama',
  // The kernel hands it to the agent. Go would interrupt goroutines by signals, which the agent has no use for.
  'GODEBUG=asyncpreemptoff=1',
];

const LEFTOVER_MS = 3_600_000;

export interface BuildOptions {
  /** Root of the checkout. */
  readonly root: string;
  /** Where the set goes; replaced as a whole. */
  readonly output: string;
  /** Takes the kernel that apt offers now, instead of the one that the last build took. */
  readonly updateKernel: boolean;
  /** Name and version of what writes the layers that this set mounts. */
  readonly erofsWriter: string;
  readonly step: (line: string) => void;
}

/** The set, and whether anything had to be done for it. */
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
  const inputs = await readInputs(options.root, options.erofsWriter);
  const pinned = options.updateKernel ? undefined : await pinnedKernelPackage(cache);
  const stamp = join(cache, 'boot.inputs');
  if (pinned !== undefined) {
    const there = await readBootSet(options.output).catch(() => undefined);
    const text = await readFile(stamp, 'utf8').catch(() => '');
    if (there !== undefined && text === stampText(inputs, pinned, there.id)) {
      return { set: there, built: false };
    }
  }
  // The archive keeps no old kernels: a pin without its package is worth nothing.
  const kept = pinned !== undefined && (await isCached(cache, pinned));
  const kernel = kept ? pinned : await resolveKernelPackage();
  const set = await build(options, cache, inputs, kernel);
  await pinKernelPackage(cache, kernel);
  await writeFile(stamp, stampText(inputs, kernel, set.id));
  return { set, built: true };
}

/** What builds that were killed left behind; a build takes minutes at most. */
async function removeLeftovers(directory: string, prefix: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((entry) => entry.startsWith(prefix))) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined || Date.now() - found.mtimeMs < LEFTOVER_MS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

interface Inputs {
  readonly source: string;
  readonly go: string;
  readonly erofs: string;
  readonly version: string;
  /** Of the code that builds. */
  readonly builder: string;
}

async function readInputs(root: string, erofs: string): Promise<Inputs> {
  const agent = join(root, 'native', 'agent');
  const [source, go, manifest, builder] = await Promise.all([
    agentSourceDigest(agent),
    goVersion(),
    readFile(join(root, 'src', 'package.json'), 'utf8'),
    builderDigest(join(root, 'src', 'boot')),
  ]);
  const { version } = JSON.parse(manifest) as { version: string };
  return { source, go, erofs, version, builder };
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
  return `${JSON.stringify({ inputs, kernel, id })}\n`;
}

async function build(
  { root, output, step }: BuildOptions,
  cache: string,
  inputs: Inputs,
  kernel: KernelPackage,
): Promise<BootSet> {
  await mkdir(dirname(output), { recursive: true });
  const work = await mkdtemp(join(dirname(output), '.boot-'));
  try {
    step(`kernel    ${kernel.package} ${kernel.version}`);
    const deb = await fetchKernelPackage(cache, kernel);
    const tree = await unpackKernelPackage(deb, join(work, 'kernel'));
    const vmlinux = await extractVmlinux(tree.bzImage);
    const modules = await loadModules(tree.modules, tree.release, 'plain');
    step(`modules   ${modules.map(({ name }) => name).join(' ')}`);
    step(`agent     ${inputs.version}, compiled by ${inputs.go}`);
    const agent = await buildAgent(join(root, 'native', 'agent'), join(work, 'agent'), {
      version: inputs.version,
      cache: join(cache, 'go'),
    });
    const files = { vmlinux, bzImage: tree.bzImage, initrd: makeInitrd(agent, modules) };
    const content: Omit<BootDocument, 'id'> = {
      schema: BOOT_SET_SCHEMA,
      profile: 'plain',
      files: {
        vmlinux: artefact(vmlinux),
        bzImage: artefact(tree.bzImage),
        initrd: artefact(files.initrd),
      },
      commandLine: COMMAND_LINE,
      kernel: { ...kernel, release: tree.release },
      agent: {
        version: inputs.version,
        go: inputs.go,
        source: inputs.source,
        binary: artefact(agent),
      },
      modules: modules.map(({ name, data }) => ({ name, ...artefact(data) })),
      erofs: inputs.erofs,
    };
    const document: BootDocument = { ...content, id: bootSetId(content) };
    await writeSet(join(work, 'set'), files, document);
    await putInPlace(join(work, 'set'), output);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const set = await readBootSet(output);
  for (const name of BOOT_FILES) step(`${name.padEnd(9)} ${set.document.files[name].sha256}`);
  step(`set       ${set.id}`);
  return set;
}

function artefact(data: Buffer): { sha256: string; size: number } {
  return { sha256: sha256(data), size: data.length };
}

/** Files carry the time 0, so that archives of two equal sets are equal too. */
async function writeSet(
  directory: string,
  files: Readonly<Record<(typeof BOOT_FILES)[number], Buffer>>,
  document: BootDocument,
): Promise<void> {
  await mkdir(directory, { mode: 0o755 });
  const contents = { ...files, 'boot.json': `${JSON.stringify(document, null, 2)}\n` };
  for (const [name, data] of Object.entries(contents)) {
    const path = join(directory, name);
    await writeFile(path, data, { mode: 0o444, flag: 'wx', flush: true });
    await utimes(path, 0, 0);
  }
}

/** An interruption between the two renames leaves no set, and the next build makes it again. */
async function putInPlace(from: string, to: string): Promise<void> {
  const old = `${from}.old`;
  await rename(to, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(from, to);
  await rm(old, { recursive: true, force: true });
}
