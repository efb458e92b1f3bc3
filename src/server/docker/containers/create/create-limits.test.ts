import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

const MIB = 2 ** 20;

/** Settings that are requested, recorded and shown alike. */
const SHOWN = {
  Memory: 64 * MIB,
  MemorySwap: 64 * MIB,
  MemoryReservation: 32 * MIB,
  PidsLimit: 100,
  CpuShares: 512,
  CpuPeriod: 100_000,
  CpuQuota: 50_000,
  CpusetCpus: '0',
  Ulimits: [
    { Name: 'nofile', Soft: 512, Hard: 1024 },
    { Name: 'core', Soft: -1, Hard: -1 },
  ],
  BlkioDeviceReadBps: [{ Path: '/dev/root', Rate: 1_000_000 }],
  BlkioDeviceWriteBps: [{ Path: '/dev/root', Rate: 2_000_000 }],
  BlkioDeviceReadIOps: [{ Path: '/dev/root', Rate: 300 }],
  BlkioDeviceWriteIOps: [{ Path: '/dev/root', Rate: 400 }],
  RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
  LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '2' } },
  Init: true,
};

it('records limits, restart policy, logging and init, and shows them as given', async () => {
  const id = await home.create(['x'], { HostConfig: SHOWN });
  const { body } = await home.call('GET', `/containers/${id}/json`);
  expect(body).toMatchObject({ HostConfig: SHOWN });
  expect(home.runtime.store.expect(id).definition).toMatchObject({
    limits: {
      ...{ memorySwapBytes: 64 * MIB, memoryReservationBytes: 32 * MIB, pids: 100 },
      ...{ cpuShares: 512, cpuPeriodUs: 100_000, cpuQuotaUs: 50_000, cpuset: '0' },
      ulimits: [
        { name: 'nofile', soft: 512, hard: 1024 },
        { name: 'core', soft: -1, hard: -1 },
      ],
      disk: { readBps: 1_000_000, writeBps: 2_000_000, readIops: 300, writeIops: 400 },
    },
    restart: { name: 'on-failure', maximumRetryCount: 3 },
    logging: { driver: 'json-file', maxBytes: 1_000_000, maxFiles: 2 },
    init: true,
  });
});

it.each([
  [0, 0],
  [64 * MIB, 64 * MIB],
  [-1, -1],
  [
    128 * MIB,
    -1,
    'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
  ],
])('gives a box of 64 MiB that asks for %i bytes with swap %i', async (asked, given, ...words) => {
  const answer = await home.call('POST', '/containers/create', {
    ...{ Image: 'busybox', Cmd: ['x'] },
    HostConfig: { Memory: 64 * MIB, MemorySwap: asked },
  });
  expect(answer).toMatchObject({ status: 201, body: { Warnings: words } });
  const { Id } = answer.body as { Id: string };
  const { body } = await home.call('GET', `/containers/${Id}/json`);
  expect(body).toMatchObject({ HostConfig: { MemorySwap: given, MemorySwappiness: null } });
});

describe('refusals of create', () => {
  it.each([
    ['RestartPolicy', { RestartPolicy: { Name: 'always' }, AutoRemove: true }, "can't create"],
    ['RestartPolicy', { RestartPolicy: { Name: 'sometimes' } }, 'unknown policy'],
    ['RestartPolicy', { RestartPolicy: { Name: 'always', MaximumRetryCount: 1 } }, 'only be used'],
    ['RestartPolicy', { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -1 } }, 'negative'],
    ['Ulimits', { Ulimits: [{ Name: 'valueOf', Soft: 1, Hard: 1 }] }, 'invalid ulimit type'],
    ['Ulimits', { Ulimits: [{ Name: 'core', Soft: 2, Hard: 1 }] }, 'less than or equal'],
    ['Ulimits', { Ulimits: [{ Name: 'core', Soft: -1, Hard: 1 }] }, 'less than or equal'],
    [
      'Ulimits',
      { Ulimits: Array.from({ length: 2 }, () => ({ Name: 'core', Soft: 1, Hard: 1 })) },
      'twice',
    ],
    ['CpusetCpus', { CpusetCpus: 'a' }, 'cpuset cpus'],
    ['CpuShares', { CpuShares: -1 }, 'CpuShares'],
    ['LogConfig', { LogConfig: { Type: 'x' } }, "logger: no log driver named 'x' is registered"],
    ['MemorySwap', { MemorySwap: 64 * MIB }, 'always set the Memory limit'],
    ['MemorySwap', { Memory: 64 * MIB, MemorySwap: 32 * MIB }, 'larger than memory limit'],
    [
      'LogConfig',
      { LogConfig: { Type: 'json-file', Config: { 'max-size': 'x' } } },
      'invalid size',
    ],
  ])('refuses invalid %s: %j', async (_, HostConfig, words) => {
    expect(await create({ HostConfig })).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument', message: expect.stringContaining(words) },
    });
  });

  it.each([
    ['a disk that is not the box’s', { BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1 }] }],
    ['a driver of other machines', { LogConfig: { Type: 'fluentd' } }],
    ['an option of Docker’s', { LogConfig: { Type: 'json-file', Config: { tag: 'x' } } }],
  ])('refuses %s as unsupported', async (_, HostConfig) => {
    expect(await create({ HostConfig })).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option' },
    });
  });

  it.each([
    [{ Test: ['CMD'] }, 'Invalid Test'],
    [{ Test: ['CMD-SHELL', 'true', 'false'] }, 'Invalid Test'],
    [{ Test: ['CMD', 'true'], Interval: 1 }, 'Interval in Healthcheck cannot be less than 1ms'],
    [{ Test: ['CMD', 'true'], Retries: -1 }, 'Retries in Healthcheck cannot be negative'],
  ])('refuses the health check %j', async (Healthcheck, words) => {
    expect(await create({ Healthcheck })).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument', message: expect.stringContaining(words) },
    });
  });
});

async function create(more: Record<string, unknown>) {
  const before = home.runtime.store.list().length;
  const answer = await home.call('POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['x'],
    ...more,
  });
  expect(home.runtime.store.list()).toHaveLength(before);
  return answer;
}
