import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../testing/code-of.ts';
import { AMD_SEV_SECTIONS, buildOvmf, GUIDS, type OvmfPlan, words } from '../testing/build-ovmf.ts';
import { MAX_OVMF_SIZE, measuredOvmf, ovmfHash, parseOvmf, sectionType } from './ovmf.ts';

const MALFORMED = expect.objectContaining({ code: 'ovmf-malformed' });

/** A good image with a change at `fromEnd` bytes before its end. */
function patched(fromEnd: number, ...bytes: readonly number[]): Uint8Array {
  const image = buildOvmf();
  image.set(bytes, image.length - fromEnd);
  return image;
}

describe('parseOvmf', () => {
  it('reads size, sections, hash table and reset vector from the metadata of OVMF', () => {
    expect(parseOvmf(buildOvmf())).toEqual({
      size: 8192,
      gpa: 0xffffe000,
      svsm: false,
      sections: AMD_SEV_SECTIONS,
      hashTableGpa: 0x810c00,
      resetEip: 0x80b004,
    });
  });

  it('reads an OVMF build without a hash table, or with a hash table at address 0', () => {
    const none = parseOvmf(buildOvmf({ without: [GUIDS.hashTable] }));
    expect(none).not.toHaveProperty('hashTableGpa');
    expect(parseOvmf(buildOvmf({ hashTable: { gpa: 0, size: 0 } }))).toEqual(none);
  });

  it('reads an OVMF image inside a larger buffer', () => {
    const image = buildOvmf();
    const buffer = new Uint8Array(image.length + 7);
    buffer.set(image, 7);
    expect(parseOvmf(buffer.subarray(7))).toEqual(parseOvmf(image));
  });

  it.each<[string, OvmfPlan]>([
    ['no metadata', { without: [GUIDS.metadata] }],
    ['no reset block', { without: [GUIDS.resetBlock] }],
    ['a GUID twice', { extra: [{ guid: GUIDS.metadata, data: words(0x800) }] }],
    [
      'an entry of another length',
      { without: [GUIDS.resetBlock], extra: [{ guid: GUIDS.resetBlock, data: words(1, 2) }] },
    ],
    [
      'a hash table entry of another length',
      { without: [GUIDS.hashTable], extra: [{ guid: GUIDS.hashTable, data: words(1) }] },
    ],
    ['a hash table without room', { hashTable: { gpa: 0x810c00, size: 175 } }],
    [
      'metadata before the image',
      { without: [GUIDS.metadata], extra: [{ guid: GUIDS.metadata, data: words(0x2001) }] },
    ],
    [
      'metadata in the last bytes',
      { without: [GUIDS.metadata], extra: [{ guid: GUIDS.metadata, data: words(15) }] },
    ],
    [
      'metadata without its signature',
      { without: [GUIDS.metadata], extra: [{ guid: GUIDS.metadata, data: words(0x7fc) }] },
    ],
    ['metadata of another version', { metadataVersion: 2 }],
    ['an unknown section type', { sections: [{ gpa: 0x1000, size: 0x1000, type: 5 }] }],
    ['no sections', { sections: [] }],
    [
      'too many sections',
      {
        sections: Array.from({ length: 65 }, (_, page) => ({
          gpa: page * 4096,
          size: 4096,
          type: 1,
        })),
      },
    ],
    ['sections of 4 GiB', { sections: [{ gpa: 0, size: 0xfff00000, type: 1 }] }],
    ['a section in the image', { sections: [{ gpa: 0xffffd000, size: 0x2000, type: 1 }] }],
  ])('refuses an OVMF image with %s', (_, plan) => {
    expect(() => parseOvmf(buildOvmf(plan))).toThrow(MALFORMED);
  });

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['a part of a page', new Uint8Array(4095)],
    ['more than QEMU takes', new Uint8Array(MAX_OVMF_SIZE + 4096)],
    ['an image without a footer', new Uint8Array(4096)],
    ['a table shorter than its footer', patched(50, 17, 0)],
    ['a table longer than the image', patched(50, 0xff, 0xff)],
    ['a table with a rest of bytes', patched(50, 136 - 1, 0)],
    ['a table with a rest too short for an entry', patched(50, 18 + 10, 0)],
    ['an entry shorter than its trailer', patched(68, 17, 0)],
    ['an entry longer than the table', patched(68, 0xff, 0)],
    ['more metadata than there is', patched(0x800 - 4, 0xff)],
    ['more sections than there are bytes', patched(0x800 - 12, 8)],
  ])('refuses as an OVMF image: %s', (_, image) => {
    expect(() => parseOvmf(image)).toThrow(MALFORMED);
  });

  it('refuses an OVMF image that cuts its metadata off', () => {
    const image = buildOvmf({
      without: [GUIDS.metadata],
      extra: [{ guid: GUIDS.metadata, data: words(16) }],
    });
    image.set(words(0x56455341, 28, 1, 1), image.length - 16);
    expect(() => parseOvmf(image)).toThrow(MALFORMED);
  });

  it(
    'parses any bytes in an OVMF table or throws one kind of error',
    async () => {
      const edits = fc.array(fc.tuple(fc.nat(0x900), fc.nat(255)), { maxLength: 8 });
      await fuzz(
        fc.property(edits, (changes) => {
          const image = buildOvmf();
          for (const [fromEnd, byte] of changes) image[image.length - 1 - fromEnd] = byte;
          expect(['accepted', 'ovmf-malformed']).toContain(codeOf(() => parseOvmf(image)));
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it(
    'parses any OVMF table or throws one kind of error',
    async () => {
      await fuzz(
        fc.property(fc.uint8Array({ maxLength: 200 }), (table) => {
          const image = buildOvmf();
          image.set(table, image.length - 50 - table.length);
          image.set([table.length + 18, 0], image.length - 50);
          expect(codeOf(() => parseOvmf(image))).toBe('ovmf-malformed');
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

describe('measuredOvmf', () => {
  it('returns the hash of the OVMF pages with the metadata that is measured', () => {
    const image = buildOvmf();
    const measured = measuredOvmf(image);
    expect(measured).toEqual({
      hash: ovmfHash(image),
      sections: AMD_SEV_SECTIONS,
      hashTableGpa: 0x810c00,
      resetEip: 0x80b004,
    });
    expect(ovmfHash(buildOvmf({ fill: 0x91 }))).not.toEqual(measured.hash);
  });

  it('measures an OVMF build without a hash table', () => {
    expect(measuredOvmf(buildOvmf({ without: [GUIDS.hashTable] }))).not.toHaveProperty(
      'hashTableGpa',
    );
  });

  it('refuses an SVSM image, which is measured by other rules', () => {
    const image = buildOvmf({ extra: [{ guid: GUIDS.svsmInfo, data: words(0) }] });
    expect(parseOvmf(image).svsm).toBe(true);
    expect(() => measuredOvmf(image)).toThrow(MALFORMED);
  });
});

describe('sectionType', () => {
  it('names the section types of the OVMF metadata', () => {
    expect([1, 2, 3, 4, 0x10].map(sectionType)).toEqual([
      'sec-mem',
      'secrets',
      'cpuid',
      'svsm-caa',
      'kernel-hashes',
    ]);
    expect(sectionType(0)).toBeUndefined();
  });
});
