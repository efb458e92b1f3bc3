import { expect, it } from 'vitest';
import type { OpenSavedVm } from '../../vm/saved-vm.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { forkDevices, forkMemory } from './fork-devices.ts';

const MEBIBYTE = 2 ** 20;
const saved: OpenSavedVm = {
  ...{ arrangement: 'template', changesSerial: 'changes' },
  memory: { offset: MEBIBYTE, bytes: 512 * MEBIBYTE },
  growth: { offset: 514 * MEBIBYTE, bytes: 256 * MEBIBYTE },
  ...{ ram: 20, state: 21 },
};
const spec: VmSpec = {
  id: '0123456789abcdef'.repeat(4),
  runtimeDir: '/run/a',
  identity: { uid: 1, gid: 1 },
  cpus: 1,
  memoryBytes: 768 * MEBIBYTE,
  boot: { kernelPath: '/boot/vmlinux', initrdPath: '/boot/initrd', commandLine: [] },
  disks: [
    { path: '/images/layer', serial: 'layer-0', readonly: true },
    { path: '/boxes/2', serial: 'changes', readonly: false, backing: ['/boxes/0', '/boxes/1'] },
  ],
  nic: undefined,
  shares: [],
};

it('maps all RAM of a fork privately, each block from its offset in the file', () => {
  const backend = (id: string, size: number, offset: number): string =>
    `memory-backend-file,id=${id},size=${size * MEBIBYTE}B,mem-path=/proc/self/fd/7,offset=${offset * MEBIBYTE},share=off,readonly=on,rom=off,dump=off,merge=off`;
  expect(forkMemory(saved, 4096, 7)).toEqual([
    ...['-m', `size=${512 * MEBIBYTE}B,slots=1,maxmem=4096B`],
    ...['-object', backend('memory', 512, 1)],
    ...['-object', backend('growth', 256, 514)],
    ...['-device', 'pc-dimm,id=dimm0,memdev=growth'],
  ]);
  const { growth: _, ...booted } = { ...saved, arrangement: 'boot' as const };
  expect(forkMemory(booted, 4096, 7)).toEqual([
    ...['-m', `size=${512 * MEBIBYTE}B`],
    ...['-object', backend('memory', 512, 1)],
  ]);
});

it('gives a fork of a template-based microVM its device slots and its whole backing chain', () => {
  const line = forkDevices(spec, saved).join(' ');
  expect(line).toContain('vmgenid');
  const nodes = [...line.matchAll(/-blockdev (\{[^ ]*\})/g)].map(([, text = '']) =>
    JSON.parse(text),
  );
  const ours = nodes.filter(({ 'node-name': name }) => /^changes/.test(name));
  expect(ours).toMatchObject([
    { driver: 'raw', 'node-name': 'changes-0', 'read-only': true },
    { driver: 'qcow2', 'node-name': 'changes-1', 'read-only': true, backing: 'changes-0' },
    { driver: 'qcow2', 'node-name': 'changes', 'read-only': false, backing: 'changes-1' },
  ]);
  const files = new Set(ours.map(({ file }) => file.filename));
  expect(files.size).toBe(3);
});

it('gives a fork of a booted microVM the devices where they were', () => {
  const booted = { ...saved, arrangement: 'boot' as const };
  const without = forkDevices(spec, booted);
  expect(without.join(' ')).not.toMatch(/vmgenid|virtio-net|layer-1/);
});
