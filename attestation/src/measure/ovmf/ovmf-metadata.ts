/**
 * The figures of an OVMF image that determine the launch digest, apart from its own pages.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';
import { DIGEST_SIZE, PAGE_SIZE } from '../launch-digest.ts';
import { KERNEL_HASH_TABLE_SIZE } from './kernel-hashes.ts';

/** OVMF_SECTION_TYPE of EDK II's `OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm`. */
export const SECTION_TYPES = {
  'sec-mem': 1,
  secrets: 2,
  cpuid: 3,
  'svsm-caa': 4,
  'kernel-hashes': 0x10,
} as const;

/** What a section is for. */
export type SectionType = keyof typeof SECTION_TYPES;

/** Guest memory that the firmware wants validated before it starts. */
export interface OvmfSection {
  /** Guest-physical address, of a whole page. */
  readonly gpa: number;
  /** Bytes, of whole pages. */
  readonly size: number;
  readonly type: SectionType;
}

/** What an OVMF image says about its own launch. */
export interface OvmfMetadata {
  /** In the order of the file, which is that of the digest. */
  readonly sections: readonly OvmfSection[];
  /** Where the firmware looks for the kernel's hashes; none in a build without measured boot. */
  readonly hashTableGpa?: number | undefined;
  /** Where vCPUs other than the first start. */
  readonly resetEip: number;
}

/** An OVMF image by its measured figures: enough for a launch digest without the image. */
export interface MeasuredOvmf extends OvmfMetadata {
  /** The launch digest over the image's pages alone, 48 bytes. */
  readonly hash: Uint8Array;
}

export const MAX_SECTIONS = 64;

/** All sections together; real ones have about thirty. */
const MAX_SECTION_PAGES = 4096;

const FOUR_GIB = 0x1_0000_0000;

/** Of these there is one page at most. */
const SINGLE_PAGES: readonly SectionType[] = ['secrets', 'cpuid', 'kernel-hashes'];

/** Can this firmware check a kernel? It has both the table's place and the measured section. */
export function supportsKernelHashes(metadata: OvmfMetadata): boolean {
  return metadata.hashTableGpa !== undefined && hashSection(metadata) !== undefined;
}

/**
 * Refuses what no monitor would launch, and what would be too much to measure.
 *
 * @param end - first address behind the room for sections
 * @throws AttestationError `ovmf-malformed`
 */
export function checkMetadata(metadata: OvmfMetadata, end: number = FOUR_GIB): void {
  const { sections, resetEip } = metadata;
  if (!isWord(resetEip)) refuse('the reset vector is an address of 32 bits', `${resetEip}`);
  if (sections.length === 0 || sections.length > MAX_SECTIONS) {
    refuse(`1 to ${MAX_SECTIONS} sections`, `${sections.length}`);
  }
  for (const section of sections) checkSection(section, end);
  checkPages(sections);
  checkOverlaps(sections);
  checkSingles(sections);
  checkHashTable(metadata);
}

/** {@link checkMetadata}, and that the digest has 48 bytes. */
export function checkMeasured(ovmf: MeasuredOvmf): void {
  if (!(ovmf.hash instanceof Uint8Array) || ovmf.hash.length !== DIGEST_SIZE) {
    refuse(`an OVMF hash of ${DIGEST_SIZE} bytes`, 'another length');
  }
  checkMetadata(ovmf);
}

function checkSection({ gpa, size, type }: OvmfSection, end: number): void {
  const where = `${type} section of ${size} bytes at ${gpa}`;
  if (!Object.hasOwn(SECTION_TYPES, type)) refuse('sections of known types', where);
  if (!isWord(gpa) || !isWord(size) || size === 0 || (gpa | size) % PAGE_SIZE !== 0) {
    refuse('sections of whole pages', where);
  }
  if (gpa + size > end) refuse('sections below the image and 4 GiB', where);
}

function checkPages(sections: readonly OvmfSection[]): void {
  const pages = sections.reduce((sum, section) => sum + section.size / PAGE_SIZE, 0);
  if (pages > MAX_SECTION_PAGES) {
    refuse(`sections of at most ${MAX_SECTION_PAGES} pages`, `${pages} pages`);
  }
}

function checkOverlaps(sections: readonly OvmfSection[]): void {
  let end = 0;
  for (const section of [...sections].sort((a, b) => a.gpa - b.gpa)) {
    if (section.gpa < end) refuse('sections apart from each other', `two at ${section.gpa}`);
    end = section.gpa + section.size;
  }
}

function checkSingles(sections: readonly OvmfSection[]): void {
  for (const type of SINGLE_PAGES) {
    const size = sections.reduce((sum, each) => sum + (each.type === type ? each.size : 0), 0);
    if (size > PAGE_SIZE) refuse(`at most one ${type} page`, `${size} bytes`);
  }
}

function checkHashTable(metadata: OvmfMetadata): void {
  const { hashTableGpa } = metadata;
  if (hashTableGpa === undefined) return;
  if (!isWord(hashTableGpa)) refuse('a hash table at an address of 32 bits', `${hashTableGpa}`);
  const section = hashSection(metadata);
  if (section === undefined) return;
  const offset = hashTableGpa - section.gpa;
  if (offset < 0 || offset + KERNEL_HASH_TABLE_SIZE > PAGE_SIZE) {
    refuse('the hash table inside its section', `at ${hashTableGpa}`);
  }
}

function hashSection(metadata: OvmfMetadata): OvmfSection | undefined {
  return metadata.sections.find((section) => section.type === 'kernel-hashes');
}

function isWord(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < FOUR_GIB;
}

/** Throws `ovmf-malformed`. */
export function refuse(expected: string, found: string): never {
  throw new AttestationError('ovmf-malformed', `Cannot measure OVMF: expected ${expected}`, {
    expected,
    found,
    remedy: 'Use an image built by EDK II with SEV-SNP support, such as AmdSevX64.',
  });
}
