import { fuzzRuns } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { A3sError } from '../../errors.ts';
import { syntheticBzImage, syntheticModule, syntheticVmlinux } from '../testing/synthetic.ts';
import { bzImagePayload, extractVmlinux } from './bzimage.ts';
import { elfSection, hasPvhEntry } from './elf.ts';

test('extracts the kernel from a bzImage unchanged', async () => {
  const vmlinux = syntheticVmlinux();
  expect(await extractVmlinux(syntheticBzImage(vmlinux))).toEqual(vmlinux);
});

test.each<[string, (bzImage: Buffer) => Buffer, string]>([
  ['cut off', (bzImage) => bzImage.subarray(0, 0x2004), 'outside of it'],
  ['no kernel at all', (bzImage) => Buffer.alloc(bzImage.length), 'no bzImage'],
  ['another compression', (bzImage) => edit(bzImage, 0x2000, 0x1f), 'not compressed by zstd'],
  ['another size inside', (bzImage) => edit(bzImage, bzImage.length - 68, 1), 'zstd failed'],
])('refuses a bzImage: %s', async (_, change, message) => {
  const bzImage = change(syntheticBzImage(syntheticVmlinux()));
  await expect(extractVmlinux(bzImage)).rejects.toThrow(message);
});

test('refuses a kernel that QEMU could not start', async () => {
  const other = syntheticBzImage(syntheticVmlinux(17));
  await expect(extractVmlinux(other)).rejects.toThrow('no PVH entry point');
  await expect(extractVmlinux(syntheticBzImage(Buffer.alloc(300)))).rejects.toThrow('no sound ELF');
});

test('refuses damaged kernels and modules without reading outside of them', () => {
  const vmlinux = syntheticVmlinux();
  const module = syntheticModule('a', [], '6');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(vmlinux.length - 1), fc.nat(255)), { maxLength: 8 }),
      (edits) => {
        const damaged = [vmlinux, module].map((file) => {
          const copy = Buffer.from(file);
          for (const [at, value] of edits) copy[at % copy.length] = value;
          return copy;
        });
        for (const file of damaged) {
          for (const read of [hasPvhEntry, (b: Buffer) => elfSection(b, '.modinfo')]) {
            try {
              read(file);
            } catch (error) {
              expect(error).toBeInstanceOf(RangeError);
            }
          }
          try {
            bzImagePayload(file);
          } catch (error) {
            expect(error).toBeInstanceOf(A3sError);
          }
        }
      },
    ),
    fuzzRuns(),
  );
});

function edit(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
}
