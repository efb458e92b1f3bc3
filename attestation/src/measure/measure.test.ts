import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../hex.ts';
import type { LaunchInputs } from './inputs.ts';
import { resolveLaunch } from './inputs.ts';
import { measureLaunch } from './launch.ts';
import { measureOvmf } from './measure.ts';
import { measuredOvmf } from './ovmf/ovmf.ts';
import { buildOvmf, GUIDS } from './testing/build-ovmf.ts';
import { KNOWN_DIGESTS } from './testing/known-digests.ts';
import { knownInputs, SIGNED_LAUNCH } from './testing/known-launches.ts';

const IMAGE = buildOvmf();
const BASE: LaunchInputs = {
  vmm: 'qemu',
  ovmf: IMAGE,
  kernel: new TextEncoder().encode('kernel'),
  initrd: new TextEncoder().encode('initrd'),
  append: 'quiet',
  vcpus: 2,
  vcpuType: 'EPYC-Milan',
};

describe('measureOvmf', () => {
  it.each(KNOWN_DIGESTS)('computes the launch digest of $name', (known) => {
    expect(measureOvmf(knownInputs(known)).digest).toBe(known.digest);
  });

  it('computes the launch digest that hardware signed', () => {
    expect(measureOvmf(SIGNED_LAUNCH.inputs).digest).toBe(SIGNED_LAUNCH.digest);
  });

  it('computes the same digest from a firmware image and from its measured values', () => {
    const figures = measuredOvmf(IMAGE);
    const measured = measureOvmf({ ...BASE, ovmf: figures });
    expect(measured).toEqual(measureOvmf(BASE));
    expect(measured.ovmfHash).toBe(toHex(figures.hash));
  });

  it('computes the same digest for a model and its signature, and for all versions of a model', () => {
    const { vcpuType: _, ...rest } = BASE;
    const { digest } = measureOvmf(BASE);
    expect(measureOvmf({ ...rest, vcpuSignature: 0xa00f11 }).digest).toBe(digest);
    expect(measureOvmf({ ...BASE, vcpuType: 'EPYC-Milan-v3' }).digest).toBe(digest);
  });

  it('computes the same digest without an initrd and with an empty one', () => {
    const without = measureOvmf({ ...BASE, initrd: undefined }).digest;
    expect(measureOvmf({ ...BASE, initrd: new Uint8Array(0) }).digest).toBe(without);
  });

  it.each<[string, Partial<LaunchInputs>]>([
    ['the VMM', { vmm: 'gce' }],
    ['the VMM, with a similar profile', { vmm: 'ec2' }],
    ['the firmware', { ovmf: buildOvmf({ fill: 0x91 }) }],
    ['the reset vector', { ovmf: buildOvmf({ resetEip: 0x80b005 }) }],
    ['the kernel', { kernel: new TextEncoder().encode('kernem') }],
    ['the initrd', { initrd: new TextEncoder().encode('initre') }],
    ['whether there is an initrd', { initrd: undefined }],
    ['the command line', { append: 'quieu' }],
    ['whether there is a kernel', { kernel: undefined, initrd: undefined, append: undefined }],
    ['the number of vCPUs', { vcpus: 3 }],
    ['the vCPU model', { vcpuType: 'EPYC-Rome' }],
    ['the SEV features', { sevFeatures: 0x21n }],
    ['the state of the FPU', { fpu: 'zero' }],
  ])('computes another digest for another input: %s', (_, change) => {
    expect(measureOvmf({ ...BASE, ...change }).digest).not.toBe(measureOvmf(BASE).digest);
  });

  it(
    'computes another digest for any changed bit of any input',
    async () => {
      const { digest } = measureOvmf(BASE);
      const bit = fc.record({
        input: fc.constantFrom('ovmf', 'kernel', 'initrd', 'append', 'features', 'signature'),
        position: fc.nat(),
      });
      await fuzz(
        fc.property(bit, (change) => {
          expect(measureOvmf(flipped(change)).digest).not.toBe(digest);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it('measures a hash table page of zeros where the firmware has a section but no table', () => {
    const launch = resolveLaunch(BASE);
    const { hashTableGpa: _, ...ovmf } = launch.ovmf;
    const without = { ...launch, kernel: undefined };
    expect(measureLaunch({ ...launch, ovmf })).toEqual(measureLaunch(without));
  });
});

/** Flips one bit of one input. In the image, the bit lies outside of its tables. */
function flipped(change: { readonly input: string; readonly position: number }): LaunchInputs {
  const flip = (bytes: Uint8Array, room: number): Uint8Array => {
    const copy = bytes.slice();
    const index = Math.floor(change.position / 8) % room;
    copy[index] = Number(copy[index]) ^ (1 << (change.position % 8));
    return copy;
  };
  const file = BASE.kernel instanceof Uint8Array ? BASE.kernel : new Uint8Array(0);
  const initrd = BASE.initrd instanceof Uint8Array ? BASE.initrd : new Uint8Array(0);
  // A lower-case letter with one bit flipped never becomes NUL.
  const text = new TextEncoder().encode(BASE.append);
  const { vcpuType: _, ...rest } = BASE;
  switch (change.input) {
    case 'ovmf':
      return { ...BASE, ovmf: flip(IMAGE, IMAGE.length - 0x800) };
    case 'kernel':
      return { ...BASE, kernel: flip(file, file.length) };
    case 'initrd':
      return { ...BASE, initrd: flip(initrd, initrd.length) };
    case 'append':
      return { ...BASE, append: new TextDecoder().decode(flip(text, text.length)) };
    case 'features':
      return { ...BASE, sevFeatures: 1n | (1n << BigInt(1 + (change.position % 63))) };
    default:
      return { ...rest, vcpuSignature: (0xa00f11 ^ (1 << (change.position % 32))) >>> 0 };
  }
}

describe('invalid inputs of measureOvmf', () => {
  const { vcpuType: _, ...untyped } = BASE;
  const noTable = buildOvmf({ without: [GUIDS.hashTable] });
  const short = { sha256: new Uint8Array(31) };
  const any = <T>(value: unknown): T => value as T;

  it.each<[string, string, LaunchInputs]>([
    ['an unknown VMM', 'measure-input', { ...BASE, vmm: any('xen') }],
    ['no vCPUs', 'measure-input', { ...BASE, vcpus: 0 }],
    ['half a vCPU', 'measure-input', { ...BASE, vcpus: 1.5 }],
    ['too many vCPUs', 'measure-input', { ...BASE, vcpus: 4097 }],
    ['SEV features of 65 bits', 'measure-input', { ...BASE, sevFeatures: (1n << 64n) | 1n }],
    ['negative SEV features', 'measure-input', { ...BASE, sevFeatures: -1n }],
    ['SEV features without SNP', 'measure-input', { ...BASE, sevFeatures: 0x20n }],
    ['no vCPU model for QEMU', 'measure-input', untyped],
    ['a model and a signature', 'measure-input', { ...BASE, vcpuSignature: 1 }],
    ['an unknown model', 'measure-input', { ...BASE, vcpuType: any('EPYC-Naples') }],
    ['a signature of 33 bits', 'measure-input', { ...untyped, vcpuSignature: 2 ** 32 }],
    ['another state of the FPU', 'measure-input', { ...BASE, fpu: any('clean') }],
    ['an initrd alone', 'measure-input', { ...BASE, kernel: undefined, append: undefined }],
    ['a command line alone', 'measure-input', { ...BASE, kernel: undefined, initrd: undefined }],
    ['a kernel digest of another length', 'measure-input', { ...BASE, kernel: short }],
    ['an initrd digest of another length', 'measure-input', { ...BASE, initrd: short }],
    ['a digest as text', 'measure-input', { ...BASE, kernel: { sha256: any('x'.repeat(32)) } }],
    ['a command line with a NUL', 'measure-input', { ...BASE, append: 'a\0' }],
    ['a malformed image', 'ovmf-malformed', { ...BASE, ovmf: new Uint8Array(4096) }],
    [
      'malformed measured values',
      'ovmf-malformed',
      { ...BASE, ovmf: { ...measuredOvmf(IMAGE), sections: [] } },
    ],
    [
      'a kernel that the firmware does not check',
      'ovmf-no-kernel-hashes',
      { ...BASE, ovmf: noTable },
    ],
  ])('refuses to measure %s', (__, code, inputs) => {
    expect(() => measureOvmf(inputs)).toThrow(expect.objectContaining({ code }));
  });
});
