/**
 * Boot sets whose files are a few bytes of text, and which pass every check at run time.
 *
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../digest.ts';
import {
  type Arm64BootDocument,
  BOOT_FILES,
  type BootDocument,
  type BootFile,
  bootSetId,
  documentText,
} from '../document.ts';
import { CONFIDENTIAL_COMMAND_LINES } from '../profiles.ts';
import { syntheticFirmware } from './synthetic.ts';

export interface SyntheticSet {
  readonly document: BootDocument;
  readonly files: Readonly<Record<BootFile, Buffer>>;
}

/** @param change files that differ; each makes a set with another id */
export function syntheticSet(change: Partial<Record<BootFile, Buffer>> = {}): SyntheticSet {
  const file = (name: BootFile): Buffer => change[name] ?? Buffer.from(`the file ${name}`);
  const files = {
    vmlinux: file('vmlinux'),
    bzImage: file('bzImage'),
    initrd: file('initrd'),
    'initrd-confidential': file('initrd-confidential'),
    'OVMF.fd': file('OVMF.fd'),
  };
  const { source, tools } = syntheticFirmware();
  const { snp, simulated } = CONFIDENTIAL_COMMAND_LINES;
  const userland = { modules: [], agent: artefact(Buffer.from('agent')) };
  const content: Omit<BootDocument, 'id'> = {
    schema: 'a3s-box/boot-set/v2',
    files: {
      vmlinux: artefact(files.vmlinux),
      bzImage: artefact(files.bzImage),
      initrd: artefact(files.initrd),
      'initrd-confidential': artefact(files['initrd-confidential']),
      'OVMF.fd': artefact(files['OVMF.fd']),
    },
    kernel: {
      package: 'linux-image-6-test',
      version: '6-1',
      sha256: 'cd'.repeat(32),
      size: 1,
      release: '6-test',
    },
    agent: { version: '1.2.3', go: 'go1.24', source: 'ef'.repeat(32) },
    erofs: 'a writer 7',
    plain: { commandLine: ['quiet'], ...userland },
    confidential: {
      commandLines: { snp: [...snp], simulated: [...simulated] },
      ...userland,
      firmware: { source, tools },
      vcpuType: 'EPYC-Milan-v2',
      policy: '0x30000',
    },
  };
  return { document: { ...content, id: bootSetId(content) }, files };
}

/** Lays a set into a new directory. */
export async function writeSyntheticSet(
  directory: string,
  { document, files }: SyntheticSet = syntheticSet(),
): Promise<BootDocument> {
  await mkdir(directory, { recursive: true });
  for (const name of BOOT_FILES) await writeFile(join(directory, name), files[name]);
  await writeFile(join(directory, 'boot.json'), documentText(document));
  return document;
}

function artefact(data: Buffer): { sha256: string; size: number } {
  return { sha256: sha256(data), size: data.length };
}

/** A set of arm64, written to a new directory; its id. */
export async function writeSyntheticArm64Set(directory: string): Promise<string> {
  const files = { Image: Buffer.from('the file Image'), initrd: Buffer.from('the file initrd') };
  const { kernel, agent, erofs } = syntheticSet().document;
  const content: Omit<Arm64BootDocument, 'id'> = {
    schema: 'a3s-box/boot-set-arm64/v1',
    architecture: 'arm64',
    profile: 'plain',
    files: { Image: artefact(files.Image), initrd: artefact(files.initrd) },
    commandLine: ['quiet'],
    kernel,
    agent: { ...agent, binary: artefact(Buffer.from('agent')) },
    modules: [],
    erofs,
  };
  const document = { ...content, id: bootSetId(content) };
  await mkdir(directory);
  for (const [name, data] of Object.entries(files)) await writeFile(join(directory, name), data);
  await writeFile(join(directory, 'boot.json'), documentText(document));
  return document.id;
}
