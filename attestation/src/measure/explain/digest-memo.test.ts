import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../hex.ts';
import { resolveLaunch } from '../inputs.ts';
import { type Launch, measureLaunch } from '../launch.ts';
import { buildOvmf } from '../testing/build-ovmf.ts';
import { DigestMemo } from './digest-memo.ts';

const BASE = resolveLaunch({
  vmm: 'qemu',
  ovmf: buildOvmf(),
  kernel: new Uint8Array(1),
  vcpus: 1,
  vcpuType: 'EPYC',
});
const OTHER = resolveLaunch({ vmm: 'ec2', ovmf: buildOvmf({ resetEip: 1 }), vcpus: 1 });

const LAUNCHES: fc.Arbitrary<Launch> = fc.record({
  vmm: fc.constantFrom('qemu', 'ec2', 'gce'),
  ovmf: fc.constantFrom(BASE.ovmf, OTHER.ovmf, { ...BASE.ovmf, hashTableGpa: 0x810000 }),
  kernel: fc.constantFrom(undefined, BASE.kernel, {
    ...BASE.kernel,
    initrd: new Uint8Array(32),
  } as NonNullable<Launch['kernel']>),
  vcpus: fc.integer({ min: 1, max: 6 }),
  rdx: fc.constantFrom(0x600, 0x800f12),
  sevFeatures: fc.constantFrom(1n, 0x21n),
  fpu: fc.constantFrom('reset', 'zero'),
});

describe('DigestMemo', () => {
  it(
    'memoizes the digests of launches in any order',
    async () => {
      await fuzz(
        fc.property(fc.array(LAUNCHES, { maxLength: 12 }), (launches) => {
          const memo = new DigestMemo();
          const digests = launches.map((launch) => memo.digest(launch));
          expect(digests).toEqual(launches.map((launch) => toHex(measureLaunch(launch))));
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
