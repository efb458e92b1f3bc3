/**
 * Boot sets at run time: the one that came with this installation, and those that boxes have
 * pinned.
 *
 * @module
 */
import {
  chmod,
  constants,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VcpuType } from '@a3s-box/attestation/measure';
import { renameDurably, syncDirectory } from '../durable.ts';
import { A3sError } from '../errors.ts';
import { sha256OfFile } from './digest.ts';
import { AnyBootDocument, bootSetId, filesOf, MAX_DOCUMENT } from './document.ts';

/** Prefix of the name of a directory whose set is not complete yet. */
export const INSTALLING = '.install-';
/** The same, of the server's own: a home has one server at a time. */
export const SERVER_INSTALLING = `${INSTALLING}server-`;

const BUILD = 'Run npm run setup, or let A3S_BOOT name a directory with a boot set.';

export interface BootSet {
  readonly id: string;
  readonly directory: string;
  /** Of the guests that it boots. */
  readonly architecture: 'amd64' | 'arm64';
  /** The kernel: ELF of amd64, an Image of arm64. */
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly commandLine: readonly string[];
  /** Undefined in a set that plain boxes alone boot from. */
  readonly confidential: ConfidentialBoot | undefined;
  readonly document: AnyBootDocument;
}

/** The files that a confidential VM boots from. */
export interface ConfidentialBoot {
  /** OVMF, which checks the rest against the hashes that were measured. */
  readonly firmwarePath: string;
  /** SHA-256 of it. */
  readonly firmwareDigest: string;
  /** A bzImage: firmware starts no ELF kernel. */
  readonly kernelPath: string;
  readonly initrdPath: string;
  /** By the party that vouches for the guest. */
  readonly commandLines: Readonly<Record<'snp' | 'simulated', readonly string[]>>;
  readonly vcpuType: VcpuType;
  /** Revision of launch specs that its agent reads. */
  readonly launchSpec: number;
  /** Names of the kernel modules in the initrd. */
  readonly modules: readonly string[];
  /** POLICY of the launch. */
  readonly policy: bigint;
}

/**
 * Reads the set in `directory`. Its files are there and have the size that `boot.json` says; their
 * digests are checked where a set is installed.
 * Throws `boot-set-missing`.
 */
export async function readBootSet(directory: string, remedy = BUILD): Promise<BootSet> {
  const path = join(directory, 'boot.json');
  let document: AnyBootDocument;
  try {
    if ((await stat(path)).size > MAX_DOCUMENT) throw new RangeError('it is too large');
    document = AnyBootDocument.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw missing(`${path} cannot be read`, remedy, cause);
  }
  if (bootSetId(document) !== document.id) throw missing(`${path} does not match its id`, remedy);
  for (const [name, { size }] of filesOf(document)) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found?.isFile() === true && found.size === size) continue;
    throw missing(`${join(directory, name)} is missing or has another size`, remedy);
  }
  const architecture = 'architecture' in document ? document.architecture : 'amd64';
  return {
    id: document.id,
    directory,
    architecture,
    kernelPath: join(directory, architecture === 'arm64' ? 'Image' : 'vmlinux'),
    initrdPath: join(directory, 'initrd'),
    commandLine: 'plain' in document ? document.plain.commandLine : document.commandLine,
    confidential: confidentialBoot(directory, document),
    document,
  };
}

function confidentialBoot(
  directory: string,
  document: AnyBootDocument,
): ConfidentialBoot | undefined {
  if (!('confidential' in document)) return undefined;
  const { commandLines, vcpuType, launchSpec = 1, modules, policy } = document.confidential;
  return {
    firmwarePath: join(directory, 'OVMF.fd'),
    firmwareDigest: document.files['OVMF.fd'].sha256,
    kernelPath: join(directory, 'bzImage'),
    initrdPath: join(directory, 'initrd-confidential'),
    commandLines,
    vcpuType,
    launchSpec,
    modules: modules.map(({ name }) => name),
    policy: BigInt(policy),
  };
}

/**
 * Copies a set to a directory where boxes can pin it. The copy stays while a box pins it. Each
 * file's digest is checked once, on the copy; an existing copy is used as it is.
 *
 * @param prefix of the directory that it is copied in
 */
export async function installBootSet(
  from: string,
  home: string,
  prefix = INSTALLING,
): Promise<BootSet> {
  const source = await readBootSet(from);
  const target = pinnedDirectory(home, source.id);
  const there = await readBootSet(target).catch(() => undefined);
  if (there !== undefined) return there;
  await mkdir(join(home, 'boot'), { recursive: true, mode: 0o755 });
  const work = await mkdtemp(join(home, 'boot', prefix));
  try {
    for (const [name, { sha256 }] of filesOf(source.document)) {
      const copy = join(work, name);
      await copyDurably(join(from, name), copy);
      if ((await sha256OfFile(copy)) === sha256) continue;
      throw missing(`${join(from, name)} does not have the SHA-256 that boot.json says`, BUILD);
    }
    await copyDurably(join(from, 'boot.json'), join(work, 'boot.json'));
    await readBootSet(work);
    // Readable for the VMM's user, writable for nobody.
    await chmod(work, 0o755);
    await putInPlace(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return await readBootSet(target);
}

/** The set that a box has pinned. Throws `boot-set-missing`. */
export async function pinnedBootSet(home: string, id: string): Promise<BootSet> {
  if (!isBootSetId(id)) throw new RangeError(`Cannot open a boot set: ${id} is no id`);
  const remedy = 'Remove the box and create it again: it then boots from the current set.';
  const set = await readBootSet(pinnedDirectory(home, id), remedy);
  if (set.id !== id) throw missing(`${set.directory} holds another set`, remedy);
  return set;
}

export function isBootSetId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function pinnedDirectory(home: string, id: string): string {
  return join(home, 'boot', id);
}

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(to, 0o444);
  const handle = await open(to, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a damaged set, and keeps a set that another process has just put there. The set is
 * durable when this returns.
 */
export async function putInPlace(work: string, target: string): Promise<void> {
  const sound = async (): Promise<boolean> =>
    await readBootSet(target).then(
      () => true,
      () => false,
    );
  await syncDirectory(work);
  try {
    await renameDurably(work, target);
  } catch (error) {
    // The directory entry may not be on the disk yet, also where another process made it.
    if (await sound()) return await syncDirectory(dirname(target));
    await rm(target, { recursive: true, force: true });
    await renameDurably(work, target).catch(async (again: unknown) => {
      if (!(await sound())) throw again;
      await syncDirectory(dirname(target));
    });
    if (!(await sound())) throw error;
  }
}

function missing(what: string, remedy: string, cause?: unknown): A3sError {
  return new A3sError('boot-set-missing', `Cannot boot: ${what}`, { remedy, cause });
}
