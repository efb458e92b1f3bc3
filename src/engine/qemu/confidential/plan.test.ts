import { expect, it } from 'vitest';
import type { GuestBoot } from '../../vm/guest-boot.ts';
import { MOST_DISKS } from './device-places.ts';
import { type ConfidentialPlan, type ConfidentialSpec, checkPlan } from './plan.ts';

const disk = { path: '/layer', serial: 'layer-0', readonly: true };
const boot: GuestBoot = { kernelPath: '/k', initrdPath: '/i', commandLine: [] };
const spec: ConfidentialSpec = {
  id: 'ab'.repeat(32),
  runtimeDir: '/run/box',
  identity: { uid: 1, gid: 1 },
  cpus: 1,
  memoryBytes: 2 ** 28,
  boot,
  disks: [disk],
  nic: undefined,
  shares: [],
  confidential: {
    tee: 'simulated',
    firmwarePath: '/firmware',
    vcpuType: 'EPYC-Milan-v2',
    policy: 0x30000n,
    hostData: new Uint8Array(32),
    guestStatePath: '/guest.json',
  },
};

function codeOf(changes: Partial<ConfidentialSpec>, rest: Partial<ConfidentialPlan> = {}): unknown {
  try {
    checkPlan({ spec: { ...spec, ...changes }, accelerator: 'tcg', ...rest });
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

it('accepts a confidential microVM that can be measured', () => {
  expect(codeOf({})).toBeUndefined();
  const snp = { ...spec.confidential, tee: 'snp' as const };
  expect(codeOf({ confidential: snp }, { accelerator: 'kvm' })).toBeUndefined();
  expect(codeOf({ disks: Array(MOST_DISKS).fill(disk) })).toBeUndefined();
});

it('refuses to start a confidential microVM from a template or a memory snapshot', () => {
  const shape = { cpus: 1, boot };
  const template = { key: 'k', shape, memoryBytes: 1, ram: 0, devicePath: '/d' };
  expect(codeOf({ template })).toBe('unsupported-option');
  const memory = { offset: 0, bytes: 1 };
  const fork = {
    arrangement: 'boot',
    changesSerial: 'changes',
    memory,
    ram: 0,
    state: 0,
  } as const;
  expect(codeOf({ fork })).toBe('unsupported-option');
});

it('refuses shares and backing files for a confidential microVM', () => {
  const shares = [{ tag: 'share-0', path: '/srv', readonly: true }];
  expect(codeOf({ shares })).toBe('unsupported-option');
  expect(codeOf({ disks: [{ ...disk, backing: ['/base'] }] })).toBe('unsupported-option');
});

it('refuses too many disks, and HOST_DATA of another length', () => {
  expect(codeOf({ disks: Array(MOST_DISKS + 1).fill(disk) })).toBe('invalid-argument');
  // Each root port takes the place of eight.
  const left = Array(MOST_DISKS - 16).fill(disk);
  expect(codeOf({ disks: left, sparePorts: 2 })).toBeUndefined();
  expect(codeOf({ disks: [...left, disk], sparePorts: 2 })).toBe('invalid-argument');
  expect(codeOf({ disks: [], sparePorts: 28 })).toBe('invalid-argument');
  const confidential = { ...spec.confidential, hostData: new Uint8Array(31) };
  expect(codeOf({ confidential })).toBe('invalid-argument');
});

it('refuses SEV-SNP without KVM', () => {
  const confidential = { ...spec.confidential, tee: 'snp' as const };
  expect(codeOf({ confidential })).toBe('tee-unavailable');
});
