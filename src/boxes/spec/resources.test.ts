import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Limits, NO_LIMITS } from '../record/limits.ts';
import { checkResources } from './check-resources.ts';
import {
  askedCpus,
  boxMemory,
  changedHostLimits,
  hostLimitsOf,
  niceOf,
  resourcesOf,
  vmCpus,
  vmMemory,
} from './resources.ts';

const MIB = 2 ** 20;
const HOST = { cpus: 2, memoryBytes: 1024 * MIB };

type Asked = Partial<Limits> & { memoryBytes?: number; nanoCpus?: number };
const asked = ({ memoryBytes = 0, nanoCpus = 0, ...limits }: Asked) => ({
  ...{ memoryBytes, nanoCpus },
  limits: { ...NO_LIMITS, ...limits },
});

afterEach(() => vi.restoreAllMocks());

describe('resources', () => {
  it.each<Asked>([
    { memoryBytes: 900 * MIB, nanoCpus: 2e9 },
    { memoryBytes: 64 * MIB, memorySwapBytes: 64 * MIB, memoryReservationBytes: 64 * MIB },
    { memorySwapBytes: -1, pids: -1 },
    { cpuPeriodUs: 50_000 },
    { cpuQuotaUs: 200_000, cpuShares: 2, cpuset: '0' },
    { ulimits: [{ name: 'core', soft: -1, hard: -1 }] },
  ])('accepts resources that fit the host: %j', (more) => {
    checkResources(asked(more), HOST);
  });

  it.each<[Asked, string]>([
    [{ memoryBytes: 5 * MIB }, 'Minimum memory limit allowed is 6MB'],
    [{ memoryBytes: 1000 * MIB }, 'this host has 1024 MiB'],
    [{ nanoCpus: 2e9 + 1 }, 'Range of CPUs is from 0.01 to 2.00'],
    [{ cpuQuotaUs: 200_001 }, 'Range of CPUs is from 0.01 to 2.00'],
    [{ nanoCpus: 1e9, cpuQuotaUs: 1000 }, 'Nano CPUs and CPU Quota cannot both be set'],
    [{ nanoCpus: 1e9, cpuPeriodUs: 1000 }, 'Nano CPUs and CPU Period cannot both be set'],
    [{ cpuPeriodUs: 999 }, 'CPU cfs period can not be less than 1ms'],
    [{ cpuPeriodUs: 1_000_001 }, 'or larger than 1s'],
    [{ cpuQuotaUs: 999 }, 'CPU cfs quota can not be less than 1ms'],
    [{ memorySwapBytes: 64 * MIB }, 'You should always set the Memory limit'],
    [
      { memoryBytes: 64 * MIB, memorySwapBytes: 63 * MIB },
      'Minimum memoryswap limit should be larger than memory limit',
    ],
    [{ memoryReservationBytes: 1 }, 'Minimum memory reservation allowed is 6MB'],
    [
      { memoryBytes: 64 * MIB, memoryReservationBytes: 65 * MIB },
      'Minimum memory limit can not be less than memory reservation limit',
    ],
    [{ memoryReservationBytes: 417 * MIB }, 'can not be less than memory reservation limit'],
    [{ cpuShares: 1 }, 'The minimum allowed cpu-shares is 2'],
    [{ cpuShares: 262_145 }, 'The maximum allowed cpu-shares is 262144'],
    [{ cpuset: '0-' }, 'Invalid value 0- for cpuset cpus'],
    [{ cpuset: '0,8191' }, 'Requested CPUs are not available - requested 0,8191, available: '],
    [{ ulimits: [{ name: 'core', soft: 2, hard: 1 }] }, 'less than or equal to hard limit: 2 > 1'],
    [{ ulimits: [{ name: 'core', soft: -1, hard: 1 }] }, 'less than or equal to hard limit'],
    [{ ulimits: Array(2).fill({ name: 'core', soft: 0, hard: 0 }) }, 'Duplicate ulimit: core'],
    [{ ulimits: [{ name: 'nofile', soft: 1, hard: -1 }] }, 'nofile can be 1048576 at most'],
  ])('refuses invalid resources: %j', (more, message) => {
    expect(() => checkResources(asked(more), HOST)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining(message),
      }),
    );
  });

  it('refuses resources with swap', () => {
    const more = { memoryBytes: 64 * MIB, memorySwapBytes: 65 * MIB };
    expect(() => checkResources(asked(more), HOST)).toThrow(
      expect.objectContaining({
        code: 'unsupported-option',
        message: expect.stringMatching(/swap/),
      }),
    );
  });

  it('lets only root give a box more than the default CPU shares', () => {
    vi.spyOn(process, 'geteuid').mockReturnValue(0);
    checkResources(asked({ cpuShares: 2048 }), HOST);
    vi.spyOn(process, 'geteuid').mockReturnValue(1000);
    checkResources(asked({ cpuShares: 1024 }), HOST);
    expect(() => checkResources(asked({ cpuShares: 2048 }), HOST)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining('only root may give'),
      }),
    );
  });
});

describe('the limits of the guest', () => {
  it('sends the guest only a memory limit where no limit was requested', () => {
    expect(resourcesOf(asked({}))).toEqual({ memoryBytes: 416 * MIB });
    expect(resourcesOf(asked({ pids: -1, memorySwapBytes: -1, cpuPeriodUs: 1000 }))).toEqual({
      memoryBytes: 416 * MIB,
    });
  });

  it('sends the guest every limit that it enforces', () => {
    const ulimits = [{ name: 'nofile' as const, soft: 1, hard: 2 }];
    const more = { pids: 9, memoryReservationBytes: 6 * MIB, cpuShares: 512, ulimits };
    expect(resourcesOf(asked({ memoryBytes: 7 * MIB, cpuQuotaUs: 25_000, ...more }))).toEqual({
      ...{ memoryBytes: 7 * MIB, cpuMillis: 250, pids: 9, memoryReservationBytes: 6 * MIB },
      ...{ cpuWeight: 20, ulimits },
    });
  });

  it('converts CPU shares to a weight as runc does', () => {
    const weigh = (cpuShares: number) => resourcesOf(asked({ cpuShares })).cpuWeight;
    expect([2, 1024, 262_144].map(weigh)).toEqual([1, 39, 10_000]);
  });

  it('gives the microVM as many CPUs as the CPU limit or quota needs', () => {
    const cpus = (more: Asked) => vmCpus(askedCpus(asked(more)));
    expect(cpus({})).toBe(1);
    expect(cpus({ nanoCpus: 1.1e9 })).toBe(2);
    expect(cpus({ cpuQuotaUs: 100_000 })).toBe(1);
    expect(cpus({ cpuQuotaUs: 100_001 })).toBe(2);
    expect(cpus({ cpuQuotaUs: 100_000, cpuPeriodUs: 50_000 })).toBe(2);
    expect(cpus({ cpuPeriodUs: 50_000 })).toBe(1);
  });
});

describe('the limits on the host', () => {
  it('sets no host limit where none was requested', () => {
    expect(hostLimitsOf(asked({}))).toBeUndefined();
    expect(hostLimitsOf(asked({ pids: 3, memoryReservationBytes: 6 * MIB }))).toBeUndefined();
  });

  it('sets the requested host limits', () => {
    const disk = { ...NO_LIMITS.disk, writeBps: 1 };
    expect(hostLimitsOf(asked({ disk }))).toEqual({ disk });
    expect(hostLimitsOf(asked({ cpuset: '0-1', cpuShares: 512 }))).toEqual({
      ...{ processors: [0, 1], nice: 3, disk: NO_LIMITS.disk },
    });
  });

  it('reports only host limits that an update changes', () => {
    const limits = (more: object) => ({ ...NO_LIMITS, ...more });
    const disk = { ...NO_LIMITS.disk, writeBps: 1 };
    const changes = (before: object, after: object) =>
      changedHostLimits(limits(before), limits(after));
    expect(changes({ cpuset: '1', pids: 2 }, { cpuset: '1', pids: 3 })).toBeUndefined();
    expect(changes({ cpuShares: 512 }, { cpuShares: 512, disk })).toEqual({ disk });
    expect(changes({}, { cpuset: '0' })).toEqual({ processors: [0], disk: NO_LIMITS.disk });
    expect(changes({ cpuset: '0', cpuShares: 512 }, {})).toEqual({
      ...{ processors: [], nice: 0, disk: NO_LIMITS.disk },
    });
  });

  it('converts CPU shares to a nice value', () => {
    const values = [0, 1024, 512, 102, 2, 2048, 262_144].map(niceOf);
    expect(values).toEqual([0, 0, 3, 10, 19, -3, -20]);
  });
});

describe('the size of the microVM', () => {
  it('adds the memory that the guest needs to the memory of the box', () => {
    expect(vmMemory(0)).toBe(512 * MIB);
    expect(boxMemory(0)).toBe(416 * MIB);
    expect(vmMemory(64 * MIB)).toBe(160 * MIB);
    expect(vmMemory(64 * MIB + 1)).toBe(162 * MIB);
    // The kernel describes every page.
    expect(vmMemory(8192 * MIB)).toBe((8192 + 96 + 120) * MIB);
    expect([0, 1e7, 1e9, 1.1e9].map(vmCpus)).toEqual([1, 1, 1, 2]);
  });
});
