import { describe, expect, it } from 'vitest';
import type { BoxDefinition } from '../record/box.ts';
import { NO_LIMITS } from '../record/limits.ts';
import type { Found } from '../start/describe-vm.ts';
import type { PoolDefinition } from './definition.ts';
import { reasonAgainst } from './fit.ts';

const POOL: PoolDefinition = {
  ...{
    name: 'default',
    size: 1,
    cpus: 1,
    memoryBytes: 0,
    network: 'none',
    mounts: true,
    pods: false,
  },
};
const BOX = {
  ...{ nanoCpus: 0, memoryBytes: 0, limits: NO_LIMITS, network: 'none', ports: [] },
  endpoints: [],
} as unknown as BoxDefinition;
const TMPFS: BoxDefinition['tmpfs'][number] = {
  ...{ destination: '/run', readonly: false, flags: [] },
  asked: { form: 'short', path: '/run', options: '' },
};
const layers = (count: number): Found['layers'] =>
  Array.from({ length: count }, (_, n) => ({ path: '/l', serial: `layer-${n}`, readonly: true }));
const shares = (count: number): Found['shares'] =>
  Array.from({ length: count }, (_, n) => ({ tag: `bind-${n}`, path: '/d', readonly: true }));
const disks = (count: number): Found['mountDisks'] =>
  Array.from({ length: count }, (_, n) => ({ path: '/v', serial: `volume-${n}`, readonly: false }));
const PORT = { boxPort: 80, protocol: 'tcp' as const, hostIp: '', hostPort: 0 };
const FOUND = {
  ...{ layers: layers(1), shares: [], mountDisks: [], mounts: [], keptChanges: false },
} as unknown as Found;

const LIMITED = { network: 'default' as const, egress: { default: 'deny' as const, rules: [] } };
const PUBLISHED = { network: 'default' as const, ports: [PORT] };
const CONNECTED = {
  ...{ network: 'user' as const, ports: [PORT] },
  endpoints: [{ network: 'ab'.repeat(32), name: 'db', aliases: [] }] as unknown,
} as Partial<BoxDefinition>;

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
    ['without a network, which publishes no ports', { ports: [PORT] }, {}],
    ['with as many mounts as there are ports', {}, { shares: shares(16), mountDisks: disks(16) }],
    ['with as many layers as there are slots', {}, { layers: layers(7) }],
  ])('serves a box %s from the pool', (_, definition, found) => {
    expect(reasonAgainst(POOL, { ...BOX, ...definition }, { ...FOUND, ...found })).toBeUndefined();
  });

  it.each([
    [
      'with a hardware address of its own',
      { network: 'default' as const, mac: '02:00:00:00:00:07' },
    ],
    ['with a network policy and published ports', { ...LIMITED, ports: [PORT] }],
    ['in a user-defined network', CONNECTED],
    ['in the default network, with published ports', PUBLISHED],
  ])('serves a box %s from a pool that has network cards, and from no other', (_, definition) => {
    const box = { ...BOX, ...definition };
    expect(reasonAgainst({ ...POOL, network: 'default' }, box, FOUND)).toBeUndefined();
    expect(reasonAgainst(POOL, box, FOUND)).toContain('network');
  });

  it('serves no box that mounts directories from a pool without mounts', () => {
    const bare = { ...POOL, mounts: false };
    const mounting = { ...FOUND, shares: shares(1) };
    expect(reasonAgainst(bare, BOX, mounting)).toContain('mounts directories');
    expect(reasonAgainst(bare, BOX, { ...FOUND, mountDisks: disks(1) })).toBeUndefined();
  });

  it('serves no box that is in no network any more from a pool', () => {
    const nowhere = { ...BOX, ...CONNECTED, endpoints: [] };
    expect(reasonAgainst({ ...POOL, network: 'default' }, nowhere, FOUND)).toContain('no network');
  });

  it.each([
    ['another network', { network: 'default' as const }, {}, 'network'],
    ['more processors', { nanoCpus: 1_500_000_000 }, {}, '2 CPUs'],
    ['a quota of more processors', { limits: { ...NO_LIMITS, cpuQuotaUs: 150_000 } }, {}, '2 CPUs'],
    ['more memory', { memoryBytes: 2 ** 30 }, {}, 'memory'],
    [
      'more mounts than there are ports',
      {},
      { shares: shares(17), mountDisks: disks(9) },
      'its 9 disks and 17 shares are too many',
    ],
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
