import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import { bootParamsPage } from './boot-params.ts';
import { type KrunInputs, measureKrun } from './krun.ts';

const BASE: KrunInputs = {
  qboot: new Uint8Array(0x10000).fill(1),
  kernel: new Uint8Array(0x3000).fill(2),
  kernelLoadAddress: 0x100_0000,
  initrd: new Uint8Array(0x2000).fill(3),
  ramMib: 2048,
  vcpus: 2,
};

function sha384(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha384');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function littleEndian(size: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeBigUInt64LE(value, size - 8);
  return bytes;
}

/** A second implementation of the digest: it hashes one page after the other. */
function digestOf(pages: readonly (readonly [number, bigint, Uint8Array | undefined])[]): string {
  let value: Uint8Array = Buffer.alloc(48);
  for (const [type, gpa, page] of pages) {
    const contents = page === undefined ? Buffer.alloc(48) : sha384(page);
    const header = Buffer.from([0x70, 0, type]);
    value = sha384(value, contents, header, littleEndian(13, gpa));
  }
  return toHex(value);
}

function vmsa(fields: readonly (readonly [number, string])[]): Uint8Array {
  const page = Buffer.alloc(4096);
  const segment = (attributes: string): string => `0000${attributes}00ffff000000000000000000 00`;
  const segments = ['93', '9a', '92', '93', '93', '93', '00', '82', '00', '83'].map(segment);
  page.write(segments.join('').replaceAll(' ', ''), 0, 'hex');
  page.write('00f09a00ffff00000000ffff00000000', 0x10, 'hex');
  for (const [offset, hex] of [
    [0xd0, '0010'],
    [0x148, '40'],
    [0x158, '10'],
    [0x160, '0004'],
    [0x168, 'f00fffff'],
    [0x170, '02'],
    [0x268, '0604070006040700'],
    [0x3b0, '01'],
    [0x3e8, '01'],
    ...fields,
  ] as const) {
    page.write(hex, offset, 'hex');
  }
  return page;
}

describe('measureKrun', () => {
  it('measures a launch in the order of libkrun', () => {
    const params = { ramMib: 2048, vcpus: 2, initrdAddress: 0xa00000, initrdSize: 0x2000 };
    const qboot = Array.from({ length: 16 }, (_, page) => BigInt(0xffff0000 + page * 4096));
    const first = vmsa([
      [0x178, 'f0ff'],
      [0x1d8, 'f08f'],
      [0x328, 'f08f'],
      [0x330, '0070'],
    ]);
    const digest = digestOf([
      ...qboot.map((gpa) => [1, gpa, BASE.qboot.subarray(0, 4096)] as const),
      [1, 0x1000000n, BASE.kernel.subarray(0, 4096)],
      [1, 0x1001000n, BASE.kernel.subarray(0, 4096)],
      [1, 0x1002000n, BASE.kernel.subarray(0, 4096)],
      [1, 0xa00000n, BASE.initrd.subarray(0, 4096)],
      [1, 0xa01000n, BASE.initrd.subarray(0, 4096)],
      [1, 0x7000n, bootParamsPage(params)],
      [3, 0n, undefined],
      [5, 0x5000n, undefined],
      [6, 0x6000n, undefined],
      ...Array.from(
        { length: 7 },
        (_, page) => [3, BigInt(0x8000 + page * 4096), undefined] as const,
      ),
      [2, 0xfffffffff000n, first],
      [2, 0xfffffffff000n, vmsa([[0x178, 'f3ff']])],
    ]);
    expect(measureKrun(BASE)).toEqual({ digest, confirmedByHardware: false });
  });

  it.each<[string, Partial<KrunInputs>]>([
    ['the firmware', { qboot: BASE.qboot.with(0xffff, 0) }],
    ['the kernel', { kernel: BASE.kernel.with(0x2fff, 0) }],
    ['where the kernel is', { kernelLoadAddress: 0x200_0000 }],
    ['the initrd', { initrd: BASE.initrd.with(0, 0) }],
    ['the memory', { ramMib: 2049 }],
    ['the number of vCPUs', { vcpus: 3 }],
    ['the SEV features', { sevFeatures: 0x21n }],
    ['the state of the FPU', { fpu: 'reset' }],
  ])('measures another digest of a libkrun launch for another input: %s', (_, change) => {
    expect(measureKrun({ ...BASE, ...change }).digest).not.toBe(measureKrun(BASE).digest);
  });

  it.each<[string, Partial<KrunInputs>]>([
    ['a firmware of another size', { qboot: new Uint8Array(0x1000) }],
    ['no kernel', { kernel: new Uint8Array(0) }],
    ['a part of a page of a kernel', { kernel: new Uint8Array(0x1001) }],
    ['a part of a page of an initrd', { initrd: new Uint8Array(1) }],
    ['no memory', { ramMib: 0 }],
    ['half a MiB', { ramMib: 1024.5 }],
    ['too much memory', { ramMib: 2 ** 24 + 1 }],
    ['no vCPUs', { vcpus: 0 }],
    ['half a vCPU', { vcpus: 1.5 }],
    ['too many vCPUs', { vcpus: 256 }],
    ['a kernel at a fraction', { kernelLoadAddress: 0x1000000 + 0.5 }],
    ['a kernel below 1 MiB', { kernelLoadAddress: 0x8000 }],
    ['a kernel inside a page', { kernelLoadAddress: 0x1000800 }],
    ['a kernel outside of the memory', { ramMib: 16 }],
    ['an initrd outside of the memory', { ramMib: 10, kernelLoadAddress: 0x100000 }],
    ['a kernel in the hole for devices', { ramMib: 8192, kernelLoadAddress: 0xd0000000 }],
    ['a kernel on the initrd', { kernelLoadAddress: 0xa01000 }],
    ['an initrd on the kernel', { kernelLoadAddress: 0x9fe000 }],
  ])('refuses to measure a libkrun launch with %s', (_, change) => {
    expect(() => measureKrun({ ...BASE, ...change })).toThrow(
      expect.objectContaining({ code: 'measure-input' }),
    );
  });
});

describe('bootParamsPage', () => {
  const page = (ramMib: number): DataView =>
    new DataView(
      bootParamsPage({ ramMib, vcpus: 3, initrdAddress: 0xa00000, initrdSize: 4096 }).buffer,
    );

  it('writes vCPUs, initrd and command line into the boot parameters of libkrun', () => {
    const view = page(512);
    expect(view.getUint32(0x1f4, true)).toBe(3);
    expect(view.getUint16(0x1fe, true)).toBe(0xaa55);
    expect(view.getUint32(0x202, true)).toBe(0x53726448);
    expect(view.getUint8(0x210)).toBe(0xff);
    expect(view.getUint32(0x218, true)).toBe(0xa00000);
    expect(view.getUint32(0x21c, true)).toBe(4096);
    expect(view.getUint32(0x228, true)).toBe(0x20000);
    expect(view.getUint32(0x230, true)).toBe(0x1000000);
    expect(view.getUint32(0x238, true)).toBe(0x200);
  });

  it.each([
    [
      512,
      [
        [0, 0x9fc00],
        [0x100000, 0x1ff00001],
      ],
    ],
    [
      3328,
      [
        [0, 0x9fc00],
        [0x100000, 0xcff00000],
      ],
    ],
    [
      4096,
      [
        [0, 0x9fc00],
        [0x100000, 0xcff00000],
        [0x100000000, 0x30000001],
      ],
    ],
  ] as const)('writes the memory map of libkrun for %i MiB', (ramMib, regions) => {
    const view = page(ramMib);
    const read = Array.from({ length: view.getUint8(0x1e8) }, (_, index) => {
      const offset = 0x2d0 + index * 20;
      expect(view.getUint32(offset + 16, true)).toBe(1);
      return [view.getBigUint64(offset, true), view.getBigUint64(offset + 8, true)].map(Number);
    });
    expect(read).toEqual(regions);
  });
});
