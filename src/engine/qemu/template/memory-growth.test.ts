import { expect, it } from 'vitest';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { growthCommands, growthLimit } from './memory-growth.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

function vmSpec(memoryBytes: number): VmSpec {
  const boot = { kernelPath: '/k', initrdPath: '/i', commandLine: [] };
  return {
    id: 'a'.repeat(64),
    runtimeDir: '/run/box',
    identity: { uid: 1, gid: 1 },
    cpus: 1,
    memoryBytes,
    boot,
    disks: [],
    nic: undefined,
    shares: [],
    template: {
      key: '0'.repeat(64),
      shape: { cpus: 1, boot },
      memoryBytes: 512 * MIB,
      ram: 3,
      devicePath: '/d',
    },
  };
}
const sizes = (memoryBytes: number): unknown[] =>
  growthCommands({ spec: vmSpec(memoryBytes), growthBytes: 8 * GIB }).map(
    ([, args]) => args['size'] ?? args['driver'],
  );

it('attaches no memory when the template has enough', () => {
  expect(sizes(256 * MIB)).toEqual([]);
  expect(sizes(512 * MIB)).toEqual([]);
});

it('attaches the missing memory as one piece, in whole steps', () => {
  expect(sizes(513 * MIB)).toEqual([128 * MIB, 'pc-dimm']);
  expect(sizes(2 * GIB)).toEqual([1536 * MIB, 'pc-dimm']);
});

it('shares the missing memory of a microVM that takes shares', () => {
  const backend = (takesShares: boolean): unknown => {
    const spec = { ...vmSpec(513 * MIB), takesShares };
    return growthCommands({ spec, growthBytes: 8 * GIB })[0]?.[1];
  };
  expect(backend(true)).toMatchObject({ 'qom-type': 'memory-backend-memfd', share: true });
  expect(backend(false)).toMatchObject({ 'qom-type': 'memory-backend-ram', share: false });
});

it('refuses more memory than a microVM can grow to', () => {
  expect(() => sizes(9 * GIB)).toThrow(expect.objectContaining({ code: 'out-of-memory' }));
});

it('lets microVMs grow to the memory of the host', () => {
  expect(growthLimit(512 * MIB, 3.5 * GIB)).toBe(5 * GIB);
  expect(growthLimit(512 * MIB, 256 * MIB)).toBe(2 * GIB);
});
