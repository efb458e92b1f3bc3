import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../testing/code-of.ts';
import type { LaunchInputs } from './inputs.ts';
import { launchRecordOf, measureRecord, parseLaunchRecord } from './launch-record.ts';
import { measureOvmf } from './measure.ts';
import { buildOvmf, GUIDS } from './testing/build-ovmf.ts';
import { SIGNED_LAUNCH } from './testing/known-launches.ts';

const FULL: LaunchInputs = {
  vmm: 'qemu',
  ovmf: buildOvmf(),
  kernel: new TextEncoder().encode('kernel'),
  initrd: new TextEncoder().encode('initrd'),
  append: 'quiet',
  vcpus: 2,
  vcpuSignature: 0xa00f11,
  sevFeatures: 0x21n,
  fpu: 'zero',
};
const BARE: LaunchInputs = {
  vmm: 'ec2',
  ovmf: buildOvmf({ without: [GUIDS.hashTable] }),
  vcpus: 1,
};
const MALFORMED = expect.objectContaining({ code: 'launch-record-malformed' });

/** A launch record after JSON serialization, as a host sends it. */
function overTheWire(inputs: LaunchInputs): Record<string, unknown> {
  return JSON.parse(JSON.stringify(launchRecordOf(inputs)));
}

describe('launch records', () => {
  it.each<[string, LaunchInputs]>([
    ['a full launch', FULL],
    ['a minimal launch', BARE],
    ['a kernel alone', { ...FULL, initrd: undefined, append: undefined }],
    ['a launch that hardware signed', SIGNED_LAUNCH.inputs],
  ])('measures the digest of the launch from the launch record of %s', (_, inputs) => {
    const record = parseLaunchRecord(overTheWire(inputs));
    const { digest } = measureOvmf(inputs);
    expect(record.digest).toBe(digest);
    expect(measureRecord(record).digest).toBe(digest);
    expect(launchRecordOf(inputs)).toEqual(record);
  });

  it('measures a launch record instead of trusting its digest', () => {
    const record = { ...launchRecordOf(FULL), digest: '00'.repeat(48) };
    expect(measureRecord(parseLaunchRecord(record))).toEqual(measureOvmf(FULL));
  });

  it('records digests and addresses of a launch instead of its files', () => {
    expect(launchRecordOf(BARE)).toMatchObject({
      schema: 'a3s-box/launch-record/v1',
      ovmf: { hashTableGpa: null, resetEip: 0x80b004 },
      kernel: null,
      initrd: null,
      append: null,
      vcpuType: null,
      vcpuSignature: null,
      sevFeatures: '0x1',
      fpu: null,
    });
  });
});

describe('parseLaunchRecord', () => {
  const good = overTheWire(FULL);

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['text', JSON.stringify(good)],
    ['an array', [good]],
    ['an unknown key', { ...good, note: '' }],
    ['another schema', { ...good, schema: 'a3s-box/launch-record/v2' }],
    ['an unknown VMM', { ...good, vmm: 'xen' }],
    ['an upper-case digest', { ...good, digest: 'AA'.repeat(48) }],
    ['a digest of another length', { ...good, kernel: { sha256: '00' } }],
    ['a kernel with its bytes', { ...good, kernel: { sha256: '00'.repeat(32), bytes: '' } }],
    ['no vCPUs', { ...good, vcpus: 0 }],
    ['half a vCPU', { ...good, vcpus: 0.5 }],
    ['too many vCPUs', { ...good, vcpus: 4097 }],
    ['an unknown model', { ...good, vcpuType: 'EPYC-Naples', vcpuSignature: null }],
    ['a model and a signature', { ...good, vcpuType: 'EPYC' }],
    ['SEV features as a number', { ...good, sevFeatures: 1 }],
    ['SEV features that are not canonical', { ...good, sevFeatures: '0x01' }],
    ['SEV features of 65 bits', { ...good, sevFeatures: '0x10000000000000001' }],
    ['SEV features without SNP', { ...good, sevFeatures: '0x0' }],
    ['an initrd without a kernel', { ...good, kernel: null, append: null }],
    ['a command line with a NUL', { ...good, append: '\0' }],
    ['a command line that is too long', { ...good, append: 'a'.repeat(65_537) }],
    ['no sections', { ...good, ovmf: { ...launchRecordOf(FULL).ovmf, sections: [] } }],
    [
      'too many sections',
      {
        ...good,
        ovmf: {
          ...launchRecordOf(FULL).ovmf,
          sections: Array(10_000).fill({ gpa: -1, size: 'x', type: 1, more: 1 }),
        },
      },
    ],
  ])('refuses a launch record: %s', (_, value) => {
    expect(() => parseLaunchRecord(value)).toThrow(MALFORMED);
  });

  it('refuses a launch record without any one of its keys', () => {
    for (const key of Object.keys(good)) {
      const { [key]: _, ...rest } = good;
      expect(() => parseLaunchRecord(rest)).toThrow(MALFORMED);
    }
  });

  it('refuses a launch record with a __proto__ key', () => {
    const value = JSON.parse(`{"__proto__": null, ${JSON.stringify(good).slice(1)}`);
    expect(() => parseLaunchRecord(value)).toThrow(MALFORMED);
  });

  it('names the bad fields of a launch record', () => {
    expect(() => parseLaunchRecord({ ...good, vcpus: 0, vmm: 'xen' })).toThrow(/vmm: .*; vcpus: /);
  });

  it(
    'parses any JSON as a launch record or throws one kind of error',
    async () => {
      const change = fc.tuple(fc.constantFrom(...Object.keys(good), 'other'), fc.jsonValue());
      await fuzz(
        fc.property(change, fc.jsonValue(), ([key, value], whole) => {
          expect(['accepted', 'launch-record-malformed']).toContain(
            codeOf(() => parseLaunchRecord({ ...good, [key]: value })),
          );
          expect(codeOf(() => parseLaunchRecord(whole))).toBe('launch-record-malformed');
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

describe('measureRecord', () => {
  it('refuses to measure a launch record that was not parsed', () => {
    const record = launchRecordOf(FULL);
    const unchecked = { ...record, ovmf: { ...record.ovmf, hash: 'none' } };
    expect(() => measureRecord(unchecked)).toThrow(
      expect.objectContaining({ code: 'ovmf-malformed' }),
    );
  });
});
