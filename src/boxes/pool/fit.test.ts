import { describe, expect, it } from 'vitest';
import type { BoxDefinition } from '../record/box.ts';
import { NO_LIMITS } from '../record/limits.ts';
import type { Found } from '../start/describe-vm.ts';
import type { PoolDefinition } from './definition.ts';
import { reasonAgainst } from './fit.ts';

const POOL: PoolDefinition = {
  ...{ name: 'default', size: 1, cpus: 1, memoryBytes: 0, network: 'none' },
};
const BOX = {
  ...{ nanoCpus: 0, memoryBytes: 0, limits: NO_LIMITS, network: 'none', ports: [] },
} as unknown as BoxDefinition;
const TMPFS: BoxDefinition['tmpfs'][number] = {
  ...{ destination: '/run', readonly: false, flags: [] },
  asked: { form: 'short', path: '/run', options: '' },
};
const layers = (count: number): Found['layers'] =>
  Array.from({ length: count }, (_, n) => ({ path: '/l', serial: `layer-${n}`, readonly: true }));
const FOUND = {
  ...{ layers: layers(1), shares: [], mountDisks: [], mounts: [], keptChanges: false },
} as unknown as Found;

describe('a box', () => {
  it.each([
    ['that asks for nothing', {}, {}],
    ['with half of one processor', { nanoCpus: 500_000_000 }, {}],
    [
      'with limits that its microVM gets while it runs',
      { limits: { ...NO_LIMITS, cpuset: '0', cpuShares: 512, cpuQuotaUs: 50_000 } },
      {},
    ],
    [
      'with mounts in memory and a read-only root',
      { tmpfs: [TMPFS], shmBytes: 4096, readonlyRootfs: true },
      {},
    ],
    ['with less memory', { memoryBytes: 64 * 2 ** 20 }, {}],
    ['with as many layers as there are slots', {}, { layers: layers(7) }],
  ])('serves a box %s from the pool', (_, definition, found) => {
    expect(reasonAgainst(POOL, { ...BOX, ...definition }, { ...FOUND, ...found })).toBeUndefined();
  });

  it.each([
    ['another network', { network: 'default' as const }, {}, 'network'],
    ['more processors', { nanoCpus: 1_500_000_000 }, {}, '2 CPUs'],
    ['a quota of more processors', { limits: { ...NO_LIMITS, cpuQuotaUs: 150_000 } }, {}, '2 CPUs'],
    ['more memory', { memoryBytes: 2 ** 30 }, {}, 'memory'],
    [
      'published ports',
      { ports: [{ boxPort: 80, protocol: 'tcp' as const, hostIp: '', hostPort: 0 }] },
      {},
      'publishes ports',
    ],
    ['bind mounts', {}, { shares: [{ tag: 'bind-0', path: '/', readonly: true }] }, 'bind mounts'],
    ['a disk of a volume', {}, { mountDisks: [{ serial: 'volume-0' }] }, 'volumes'],
    [
      'a writable layer of its own size',
      { storage: { bytes: 2 ** 30, options: {} } },
      { keptChanges: true },
      'a size of its own',
    ],
    ['a disk that it has written to', {}, { keptChanges: true }, 'has run before'],
    ['more layers than there are slots', {}, { layers: layers(8) }, '8 layers'],
  ])('serves no box with %s from the pool', (_, definition, found, why) => {
    expect(reasonAgainst(POOL, { ...BOX, ...definition }, { ...FOUND, ...found })).toContain(why);
  });
});
