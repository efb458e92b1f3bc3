import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NO_LIMITS } from '../../../boxes/record/limits.ts';
import type { FakeAgentOptions } from '../../../guest/testing/fake-agent-options.ts';
import { FakeRefusal } from '../../../guest/testing/fake-refusal.ts';
import { TestHome } from '../../testing/home.ts';

const MIB = 2 ** 20;

let home: TestHome;
beforeAll(async () => {
  home = new TestHome();
  await home.start();
});
beforeEach(() => {
  home.agentOptions = {};
});
afterAll(() => home.remove());

async function running(
  host: Record<string, unknown> = {},
  agent: FakeAgentOptions = {},
): Promise<string> {
  home.agentOptions = agent;
  const id = await home.create(['sleep', 'infinity'], { HostConfig: host });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const update = (id: string, body: unknown) => home.call('POST', `/containers/${id}/update`, body);
const definition = (id: string) => home.runtime.store.expect(id).definition;
const resources = (id: string) => home.agents.get(id)?.resources;
const limits = (id: string) => home.host.vm(id)?.limits;

/** An update without changes, as Docker's command line sends it. */
const NOTHING = {
  ...{ CpuShares: 0, Memory: 0, NanoCpus: 0, CgroupParent: '', BlkioWeight: 0 },
  ...{ BlkioWeightDevice: null, BlkioDeviceReadBps: null, BlkioDeviceWriteBps: null },
  ...{ BlkioDeviceReadIOps: null, BlkioDeviceWriteIOps: null, CpuPeriod: 0, CpuQuota: 0 },
  ...{ CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0, CpusetCpus: '', CpusetMems: '' },
  ...{ Devices: [], DeviceCgroupRules: null, DeviceRequests: null, MemoryReservation: 0 },
  ...{ MemorySwap: 0, MemorySwappiness: null, OomKillDisable: null, PidsLimit: null },
  ...{ Ulimits: null, CpuCount: 0, CpuPercent: 0, IOMaximumIOps: 0, IOMaximumBandwidth: 0 },
  RestartPolicy: { Name: '', MaximumRetryCount: 0 },
};

describe('update', () => {
  it('updates the guest, the host and the record of a running box, and publishes an event', async () => {
    const id = await running({ Memory: 64 * MIB, PidsLimit: 7 });
    const events = home.runtime.events;
    const actions: string[] = [];
    const body = {
      ...NOTHING,
      ...{ Memory: 32 * MIB, MemoryReservation: 16 * MIB, NanoCpus: 5e8, PidsLimit: 9 },
      ...{ CpuShares: 512, CpusetCpus: '0', BlkioDeviceWriteBps: [{ Path: '/dev/root', Rate: 5 }] },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
    };
    const publish = events.publish.bind(events);
    events.publish = (...args: Parameters<typeof publish>) => {
      actions.push(args[1]);
      return publish(...args);
    };
    expect(await update(id, body)).toMatchObject({ status: 200, body: { Warnings: [] } });
    events.publish = publish;
    expect(actions).toEqual(['update']);
    expect(resources(id)).toEqual({
      ...{ memoryBytes: 32 * MIB, cpuMillis: 500, pids: 9, memoryReservationBytes: 16 * MIB },
      cpuWeight: 20,
    });
    const disk = { ...NO_LIMITS.disk, writeBps: 5 };
    expect(limits(id)).toEqual([{ processors: [0], nice: 3, disk }]);
    expect(definition(id)).toMatchObject({
      ...{ memoryBytes: 32 * MIB, nanoCpus: 5e8 },
      limits: { pids: 9, cpuset: '0', cpuShares: 512, disk },
      restart: { name: 'on-failure', maximumRetryCount: 2 },
    });
  });

  it('changes nothing for an empty update', async () => {
    const id = await running({ Memory: 64 * MIB, CpuShares: 512 });
    const [before, held] = [definition(id), limits(id)?.length];
    expect((await update(id, NOTHING)).status).toBe(200);
    expect(definition(id)).toEqual(before);
    expect(limits(id)).toHaveLength(held ?? -1);
  });

  it('warns of an unknown field of an update whose value requests nothing', async () => {
    const id = await running({ Memory: 64 * MIB });
    const before = definition(id);
    const body = { Privileged: false, RestartPolicy: { Name: '', Delay: null } };
    const warning = (name: string) =>
      `${name} is not known here; it was ignored, as its value asks for nothing`;
    expect(await update(id, body)).toMatchObject({
      status: 200,
      body: { Warnings: [warning('Privileged'), warning('RestartPolicy.Delay')] },
    });
    expect(definition(id)).toEqual(before);
  });

  it('discards limits that the kernel of a guest lacks, with Docker’s warnings', async () => {
    const id = await running({ Memory: 64 * MIB });
    const before = definition(id);
    const weights = [{ Path: '/dev/root', Weight: 100 }];
    const body = { BlkioWeight: 100, BlkioWeightDevice: weights, OomKillDisable: true };
    const words = (what: string, name: string) =>
      `Your kernel does not support Block I/O ${what} or the cgroup is not mounted. ${name} discarded.`;
    expect(await update(id, { ...body, MemorySwappiness: -1 })).toMatchObject({
      status: 200,
      body: {
        Warnings: [
          words('weight', 'Weight'),
          words('weight_device', 'Weight-device'),
          'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
        ],
      },
    });
    expect(definition(id)).toEqual(before);
  });

  it('accepts field names of an update in any case, and null as absent', async () => {
    const id = await running();
    const body = {
      memory: 32 * MIB,
      PIDSLIMIT: 7,
      restartpolicy: { name: 'always' },
      cpuset: null,
    };
    expect(await update(id, body)).toMatchObject({ status: 200 });
    expect(definition(id)).toMatchObject({
      ...{ memoryBytes: 32 * MIB, limits: { pids: 7 }, restart: { name: 'always' } },
    });
  });

  it('removes a limit of processes by an update', async () => {
    const id = await running({ PidsLimit: 7 });
    expect(resources(id)).toMatchObject({ pids: 7 });
    expect((await update(id, { PidsLimit: 0 })).status).toBe(200);
    expect(resources(id)).not.toHaveProperty('pids');
    expect((await update(id, { PidsLimit: 5 })).status).toBe(200);
    expect((await update(id, { PidsLimit: -1 })).status).toBe(200);
    expect(resources(id)).not.toHaveProperty('pids');
  });

  it('keeps the swap limit equal to memory after an update', async () => {
    const id = await running({ Memory: 64 * MIB, MemorySwap: 64 * MIB });
    expect((await update(id, { Memory: 32 * MIB })).status).toBe(200);
    expect(definition(id).limits.memorySwapBytes).toBe(32 * MIB);
  });

  it('takes swap away with Docker’s warning, and refuses it where it comes without the memory', async () => {
    const id = await running({ Memory: 64 * MIB });
    expect(await update(id, { Memory: 64 * MIB, MemorySwap: 128 * MIB })).toMatchObject({
      status: 200,
      body: { Warnings: [expect.stringContaining('Memory limited without swap.')] },
    });
    expect(definition(id).limits.memorySwapBytes).toBe(-1);
    expect(await update(id, { MemorySwap: 128 * MIB })).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('a box has no swap') },
    });
  });

  it('updates any setting while the box does not run', async () => {
    const id = await home.create(['true']);
    expect((await update(id, { Memory: 1024 * MIB, CpuQuota: 150_000 })).status).toBe(200);
    expect(definition(id)).toMatchObject({
      ...{ memoryBytes: 1024 * MIB, limits: { cpuQuotaUs: 150_000 } },
    });
  });

  it('limits a running box to the size of its microVM', async () => {
    const id = await running({ Memory: 64 * MIB });
    for (const [body, needed] of [
      [{ Memory: 128 * MIB }, 'would need 224 MiB of memory, and was started with 160 MiB'],
      [{ NanoCpus: 1.5e9 }, 'would need 2 CPUs, and was started with 1'],
    ] as const) {
      expect(await update(id, body)).toMatchObject({
        status: 409,
        body: { code: 'conflict', message: expect.stringContaining(needed) },
      });
    }
    expect(definition(id)).toMatchObject({ memoryBytes: 64 * MIB, nanoCpus: 0 });
    // The limits of its start are available again.
    expect((await update(id, { Memory: 32 * MIB })).status).toBe(200);
    expect((await update(id, { Memory: 64 * MIB })).status).toBe(200);
    expect(resources(id)).toMatchObject({ memoryBytes: 64 * MIB });
  });

  it('changes nothing when the guest refuses an update', async () => {
    const refuseResources = new FakeRefusal('invalid', 'no');
    const id = await running({ Memory: 64 * MIB }, { refuseResources });
    const body = { Memory: 32 * MIB, CpusetCpus: '0' };
    expect(await update(id, body)).toMatchObject({ status: 400 });
    expect(definition(id)).toMatchObject({ memoryBytes: 64 * MIB, limits: NO_LIMITS });
    expect(limits(id)).toEqual([]);
  });

  it('changes nothing when the host refuses an update', async () => {
    const id = await running({ Memory: 64 * MIB });
    const vm = home.host.vm(id);
    if (vm !== undefined) vm.limitsFailure = new Error('no');
    expect(await update(id, { Memory: 32 * MIB, CpusetCpus: '0' })).toMatchObject({ status: 500 });
    expect(definition(id)).toMatchObject({ memoryBytes: 64 * MIB, limits: NO_LIMITS });
    expect(resources(id)).toEqual({ memoryBytes: 64 * MIB });
    expect(limits(id)?.at(-1)).toMatchObject({ processors: [] });
  });

  it('refuses new guest limits when the agent is too old for them', async () => {
    const id = await running({}, { protocol: { minimum: 1, maximum: 3 } });
    expect(await update(id, { PidsLimit: 5 })).toMatchObject({
      body: { code: 'agent-failed', message: expect.stringContaining('protocol 4') },
    });
    expect(definition(id).limits.pids).toBe(0);
    // Settings of the host alone do not need the agent.
    expect((await update(id, { RestartPolicy: { Name: 'always' } })).status).toBe(200);
  });

  it('applies updated limits again after a server crash', async () => {
    const id = await running({ Memory: 64 * MIB, CpusetCpus: '0' });
    expect((await update(id, { PidsLimit: 5 })).status).toBe(200);
    const agent = home.agents.get(id);
    if (agent !== undefined) agent.resources = {};
    await home.crash();
    await home.start();
    expect((await update(id, { NanoCpus: 5e8 })).status).toBe(200);
    expect(resources(id)).toEqual({ memoryBytes: 64 * MIB, pids: 5, cpuMillis: 500 });
    expect(limits(id)?.at(-1)).toMatchObject({ processors: [0] });
  });

  it('removes the last limit again after the server was killed during the update', async () => {
    const id = await running({ PidsLimit: 5 });
    const { limits: had } = definition(id);
    home.runtime.store.redefine(id, { limits: { ...had, pids: 0 } });
    await home.crash();
    await home.start();
    await home.runtime.locks.run(id, async () => undefined);
    expect(resources(id)).toEqual({ memoryBytes: 416 * MIB });
    expect(limits(id)).toEqual([{ disk: NO_LIMITS.disk }]);
  });

  it.each([
    [{ Memory: 1 }, 'invalid-argument', 'Minimum memory limit allowed is 6MB'],
    [{ NanoCpus: 1e9, CpuQuota: 5000 }, 'invalid-argument', 'cannot both be set'],
    [{ CpusetCpus: 'x' }, 'invalid-argument', 'Invalid value x for cpuset cpus'],
    [{ MemorySwap: 128 * MIB }, 'invalid-argument', 'always set the Memory limit'],
    [{ BlkioWeight: 'much' }, 'invalid-argument', 'BlkioWeight must be an integer'],
    [{ Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }] }, 'unsupported-option', 'Ulimits'],
    [{ CpuRealtimePeriod: 1 }, 'unsupported-option', 'CpuRealtimePeriod'],
    [{ Privileged: true }, 'unsupported-option', 'Privileged'],
    [
      { BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1 }] },
      'unsupported-option',
      'BlkioDeviceReadBps',
    ],
    [{ RestartPolicy: { Name: 'sometimes' } }, 'invalid-argument', 'unknown policy'],
    [
      { RestartPolicy: { MaximumRetryCount: 5 } },
      'invalid-argument',
      "only be used with 'on-failure'",
    ],
    ['[]', 'invalid-argument', 'must be an object'],
  ])('refuses the update %j', async (body, code, message) => {
    const id = await home.create(['true']);
    const before = definition(id);
    const answer = await update(id, body);
    expect(answer.body).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(definition(id)).toEqual(before);
  });

  it.each([
    [{ NanoCpus: 1e9 }, { CpuPeriod: 50_000 }, 'CPU Period cannot be updated as NanoCPUs'],
    [{ NanoCpus: 1e9 }, { CpuQuota: 50_000 }, 'CPU Quota cannot be updated as NanoCPUs'],
    [{ CpuPeriod: 50_000 }, { NanoCpus: 1e9 }, 'Nano CPUs cannot be updated as CPU Period'],
    [{ CpuQuota: 50_000 }, { NanoCpus: 1e9 }, 'Nano CPUs cannot be updated as CPU Quota'],
    [
      { AutoRemove: true },
      { RestartPolicy: { Name: 'always' } },
      'Restart policy cannot be updated because AutoRemove is enabled for the container',
    ],
  ])('refuses for a box with %j the update %j in Docker’s words', async (host, body, message) => {
    const id = await home.create(['true'], { HostConfig: host });
    expect(await update(id, body)).toMatchObject({
      status: 409,
      body: { code: 'conflict', message: expect.stringContaining(message) },
    });
  });
});
