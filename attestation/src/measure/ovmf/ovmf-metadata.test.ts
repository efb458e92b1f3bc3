import { describe, expect, it } from 'vitest';
import { AMD_SEV_SECTIONS } from '../testing/build-ovmf.ts';
import {
  checkMeasured,
  checkMetadata,
  type OvmfMetadata,
  type OvmfSection,
  supportsKernelHashes,
} from './ovmf-metadata.ts';

const GOOD: OvmfMetadata = {
  sections: AMD_SEV_SECTIONS,
  hashTableGpa: 0x810c00,
  resetEip: 0x80b004,
};

const MALFORMED = expect.objectContaining({ code: 'ovmf-malformed' });

function section(change: Partial<Record<keyof OvmfSection, unknown>>): OvmfMetadata {
  const sections = [{ gpa: 0x1000, size: 0x1000, type: 'sec-mem', ...change }];
  return { ...GOOD, sections: sections as OvmfSection[] };
}

describe('checkMetadata', () => {
  it('accepts the OVMF metadata of real builds', () => {
    expect(() => checkMetadata(GOOD)).not.toThrow();
    expect(() => checkMetadata({ ...GOOD, hashTableGpa: undefined })).not.toThrow();
    expect(() => checkMetadata(section({}))).not.toThrow();
  });

  it.each<[string, OvmfMetadata]>([
    ['no sections', { ...GOOD, sections: [] }],
    ['too many sections', { ...GOOD, sections: Array(65).fill(AMD_SEV_SECTIONS[0]) }],
    ['a section of an unknown type', section({ type: 'toString' })],
    ['a section of no bytes', section({ size: 0 })],
    ['a section of a part of a page', section({ size: 0x1001 })],
    ['a section inside a page', section({ gpa: 0x1001 })],
    ['a section at a fraction', section({ gpa: 0.5 })],
    ['a section at a negative address', section({ gpa: -0x1000 })],
    ['a section past 32 bits', section({ size: 0x1_0000_0000 })],
    ['a section across 4 GiB', section({ gpa: 0xfffff000, size: 0x2000 })],
    ['a section of 4 GiB', section({ gpa: 0, size: 0xfffff000 })],
    [
      'sections that overlap',
      { ...GOOD, sections: [...AMD_SEV_SECTIONS, ...section({ gpa: 0x808000 }).sections] },
    ],
    ['two pages of secrets', section({ size: 0x2000, type: 'secrets' })],
    [
      'two CPUID pages',
      { ...GOOD, sections: [...AMD_SEV_SECTIONS, ...section({ type: 'cpuid' }).sections] },
    ],
    ['a hash table outside of its section', { ...GOOD, hashTableGpa: 0x80fc00 }],
    ['a hash table across the end of its section', { ...GOOD, hashTableGpa: 0x810f60 }],
    ['a hash table past 32 bits', { ...GOOD, hashTableGpa: 0x1_0000_0000 }],
    ['a reset vector past 32 bits', { ...GOOD, resetEip: 0x1_0000_0000 }],
  ])('refuses OVMF metadata with %s', (_, metadata) => {
    expect(() => checkMetadata(metadata)).toThrow(MALFORMED);
  });

  it('refuses OVMF sections that overlap the image', () => {
    expect(() => checkMetadata(GOOD, 0x820000)).not.toThrow();
    expect(() => checkMetadata(GOOD, 0x81f000)).toThrow(MALFORMED);
  });

  it('refuses an OVMF digest of another length', () => {
    expect(() => checkMeasured({ ...GOOD, hash: new Uint8Array(48) })).not.toThrow();
    expect(() => checkMeasured({ ...GOOD, hash: new Uint8Array(32) })).toThrow(MALFORMED);
    const text = { ...GOOD, hash: 'x'.repeat(48) as unknown as Uint8Array };
    expect(() => checkMeasured(text)).toThrow(MALFORMED);
  });
});

describe('supportsKernelHashes', () => {
  it('supports kernel hashes only where firmware has both the table and the section', () => {
    expect(supportsKernelHashes(GOOD)).toBe(true);
    expect(supportsKernelHashes({ ...GOOD, hashTableGpa: undefined })).toBe(false);
    expect(supportsKernelHashes(section({}))).toBe(false);
  });
});
