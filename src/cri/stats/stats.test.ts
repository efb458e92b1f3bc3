import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { A3sError } from '../../errors.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import type { PodChange } from '../../pods/record/store.ts';
import { TestHome } from '../../server/testing/home.ts';
import { ContainerEventType } from '../api/enums.ts';
import { getContainerEvents } from '../containers/container-events.ts';
import { RuntimeService } from '../grpc/library.ts';
import { CriClient } from '../testing/cri-client.ts';

const { runPodSandbox, stopPodSandbox, removePodSandbox } = RuntimeService.method;
const { createContainer, startContainer, stopContainer, removeContainer } = RuntimeService.method;
const { containerStats, listContainerStats, streamContainerStats } = RuntimeService.method;
const { podSandboxStats, listPodSandboxStats, streamPodSandboxStats } = RuntimeService.method;
const { listMetricDescriptors, listPodSandboxMetrics, streamPodSandboxMetrics } =
  RuntimeService.method;
const { updatePodSandboxResources } = RuntimeService.method;

const INVALID = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

let directory: string;
let home: TestHome;
let client: CriClient;
let pod: string;
let web: string;
let idle: string;
const create = async (name: string) => {
  const config = {
    ...{ metadata: { name, attempt: 0 }, labels: { app: name }, image: { image: 'busybox' } },
    command: ['sleep', 'infinity'],
    linux: { resources: { cpuPeriod: 100_000n, cpuQuota: 50_000n } },
  };
  return (await client.call(createContainer, { podSandboxId: pod, config })).containerId;
};
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  home = new TestHome();
  home.cri = join(directory, 'cri.sock');
  await home.start();
  client = new CriClient(home.cri);
  const metadata = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };
  const linux = { resources: { memoryLimitInBytes: 2n ** 28n } };
  pod = (await client.call(runPodSandbox, { config: { metadata, linux } })).podSandboxId;
  web = await create('web');
  await client.call(startContainer, { containerId: web });
  idle = await create('idle');
});
afterAll(async () => {
  client?.close();
  await home?.remove();
  rmSync(directory, { recursive: true, force: true });
});

describe('stats', () => {
  it('answers what the guest of a container counts, and the size of its disk', async () => {
    const { stats } = await client.call(containerStats, { containerId: web.slice(0, 12) });
    expect(stats).toMatchObject({
      attributes: { id: web, metadata: { name: 'web' }, labels: { app: 'web' } },
      cpu: { usageCoreNanoSeconds: { value: 1_000_000n } },
      memory: {
        usageBytes: { value: 1_048_576n },
        workingSetBytes: { value: 786_432n },
        rssBytes: { value: 524_288n },
      },
      writableLayer: { fsId: { mountpoint: home.config.home } },
    });
    expect(stats?.cpu?.timestamp).toBeGreaterThan(0n);
    await expect(
      client.call(containerStats, { containerId: 'f'.repeat(64) }),
    ).rejects.toMatchObject({ code: NOT_FOUND });
  });

  it('answers the disk alone of a container that does not run', async () => {
    const { stats } = await client.call(containerStats, { containerId: idle });
    expect(stats?.writableLayer?.usedBytes).toBeDefined();
    expect([stats?.cpu, stats?.memory]).toEqual([undefined, undefined]);
  });

  it('lists the stats of the containers that a filter names', async () => {
    const ids = async (filter: object) =>
      (await client.call(listContainerStats, { filter })).stats.map(({ attributes: of }) => of?.id);
    expect(await ids({})).toEqual([web, idle]);
    expect(await ids({ labelSelector: { app: 'idle' } })).toEqual([idle]);
    expect(await ids({ podSandboxId: 'f'.repeat(64) })).toEqual([]);
    const [message] = await client.stream(streamContainerStats, { filter: { id: web } });
    expect(message?.containerStats).toHaveLength(1);
  });

  it('answers the network, the processes and the containers of a pod', async () => {
    const { stats } = await client.call(podSandboxStats, { podSandboxId: pod });
    expect(stats).toMatchObject({
      attributes: { id: pod, metadata: { name: 'pod' } },
      linux: {
        network: { defaultInterface: { name: 'eth0', rxBytes: { value: 100n } } },
        containers: [{ attributes: { id: web } }, { attributes: { id: idle } }],
      },
    });
    const { stats: listed } = await client.call(listPodSandboxStats, { filter: { id: pod } });
    const [streamed] = await client.stream(streamPodSandboxStats, {});
    expect([listed, streamed?.podSandboxStats]).toMatchObject([
      [{ attributes: { id: pod } }],
      [{ attributes: { id: pod } }],
    ]);
  });

  it('leaves out of stats what a guest does not answer', async () => {
    const guest = await home.runtime.runningPods.expect(pod).guest();
    const silent = vi
      .spyOn(guest, 'stats')
      .mockRejectedValue(new FakeRefusal('conflict', 'broken'));
    const { stats } = await client.call(podSandboxStats, { podSandboxId: pod });
    expect([stats?.linux?.cpu, stats?.linux?.containers.length]).toEqual([undefined, 2]);
    silent.mockRestore();
  });

  it('waits three seconds for a guest that is silent, for all of its containers together', async () => {
    const guest = await home.runtime.runningPods.expect(pod).guest();
    const never = new Promise<never>(() => undefined);
    const silent = [
      vi.spyOn(guest, 'stats').mockReturnValue(never),
      vi.spyOn(guest, 'container').mockReturnValue({ stats: () => never } as never),
    ];
    const began = performance.now();
    const { stats } = await client.call(listPodSandboxStats, {});
    expect(performance.now() - began).toBeLessThan(6_000);
    expect(stats.map(({ linux }) => [linux?.cpu, linux?.containers.length])).toEqual([
      [undefined, 2],
    ]);
    for (const each of silent) each.mockRestore();
  });

  it('lists metrics, each of which it describes', async () => {
    const { descriptors } = await client.call(listMetricDescriptors, {});
    const keys = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys.length]));
    const { podMetrics } = await client.call(listPodSandboxMetrics, {});
    const all = podMetrics.flatMap(({ metrics, containerMetrics }) => [
      ...metrics,
      ...containerMetrics.flatMap((container) => container.metrics),
    ]);
    expect(all.every(({ name, labelValues }) => keys.get(name) === labelValues.length)).toBe(true);
    expect(new Set(all.map(({ name }) => name)).size).toBe(descriptors.length);
    const working = all.find(({ name }) => name === 'container_memory_working_set_bytes');
    expect(working).toMatchObject({ labelValues: [web, 'web'], value: { value: 786_432n } });
    const valuesOf = (wanted: string) =>
      all
        .filter(({ name }) => name === wanted)
        .map(({ labelValues, value }) => [...labelValues.slice(2), value?.value]);
    expect(valuesOf('container_blkio_device_usage_total')).toEqual([
      ['254:0', '254', '0', 'Read', 4096n],
      ['254:0', '254', '0', 'Write', 8192n],
    ]);
    expect(valuesOf('container_fs_writes_total')).toEqual([['254:0', 2n]]);
    expect(valuesOf('container_cpu_cfs_periods_total')).toEqual([[10n]]);
    expect(valuesOf('container_memory_rss')).toEqual([[524_288n]]);
    expect(valuesOf('container_spec_cpu_quota')).toEqual([[50_000n]]);
    const [[started] = []] = valuesOf('container_start_time_seconds');
    const [[seen] = []] = valuesOf('container_last_seen');
    expect(started).toBeGreaterThan(1_000_000_000n);
    expect(seen).toBeGreaterThanOrEqual(started as bigint);
    const [streamed] = await client.stream(streamPodSandboxMetrics, {});
    expect(streamed?.podSandboxMetrics[0]?.containerMetrics).toHaveLength(1);
  });
});

it('UpdatePodSandboxResources changes the pod’s limits, grows its microVM, and refuses what that lacks', async () => {
  const update = (resources: object) =>
    client.call(updatePodSandboxResources, { podSandboxId: pod, resources });
  await update({ memoryLimitInBytes: 2n ** 27n });
  expect(home.host.vm(pod)?.memoryBytes).toBe(352 * 2 ** 20);
  expect(home.agents.get(pod)?.resources).toMatchObject({ memoryBytes: 2 ** 27 });
  await update({ memoryLimitInBytes: 2n ** 30n });
  expect(home.host.vm(pod)?.memoryBytes).toBe(1128 * 2 ** 20);
  expect(home.agents.get(pod)?.resources).toMatchObject({ memoryBytes: 2 ** 30 });
  Object.assign(home.host.vm(pod) ?? {}, {
    growthFailure: new A3sError('conflict', 'it has no place for more'),
  });
  await expect(update({ memoryLimitInBytes: 2n ** 31n })).rejects.toMatchObject({
    code: FAILED_PRECONDITION,
  });
  expect(home.runtime.pods.expectPod(pod).definition.memoryBytes).toBe(2 ** 30);
  await expect(update({ cpuQuota: 6_400_000n, cpuPeriod: 100_000n })).rejects.toMatchObject({
    code: INVALID,
  });
  const missing = { podSandboxId: 'f'.repeat(64) };
  await expect(client.call(updatePodSandboxResources, missing)).rejects.toMatchObject({
    code: NOT_FOUND,
  });
});

it('GetContainerEvents tells of a pod and its containers, in order', async () => {
  const ended = new AbortController();
  const events: [string, number][] = [];
  const following = (async () => {
    for await (const event of getContainerEvents(home.runtime, ended.signal)) {
      events.push([event.containerId ?? '', event.containerEventType ?? -1]);
      // The states are those of the event.
      expect(event.podSandboxStatus?.id ?? pod).toBe(pod);
    }
  })();
  const job = await create('job');
  await client.call(startContainer, { containerId: job });
  await client.call(stopContainer, { containerId: job, timeout: 0n });
  await client.call(removeContainer, { containerId: job });
  await client.call(stopPodSandbox, { podSandboxId: pod });
  await client.call(removePodSandbox, { podSandboxId: pod });
  await vi.waitFor(() => expect(events.at(-1)?.[0]).toBe(pod));
  ended.abort();
  await following;
  const { CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT } = ContainerEventType;
  const { CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT } = ContainerEventType;
  expect(events.filter(([id]) => id === job).map(([, type]) => type)).toEqual([
    ...[CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT],
    ...[CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT],
  ]);
  expect(events.filter(([id]) => id === pod).map(([, type]) => type)).toEqual([
    ...[CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT],
  ]);
});

it('tells a client that is too slow of the loss, and of no event after it', async () => {
  let tell: (change: PodChange) => void = () => undefined;
  const pods = {
    ...{ pod: () => undefined, containers: () => [] },
    onChange: (listener: typeof tell) => {
      tell = listener;
      return { [Symbol.dispose]: () => undefined };
    },
  };
  const events = getContainerEvents({ pods }, new AbortController().signal);
  const first = events.next();
  const happen = (id: string) => tell({ kind: 'created', id, pod: 'pod' });
  for (let index = 0; index <= 1024; index += 1) happen(String(index));
  await first;
  happen('after the loss');
  const received: (string | undefined)[] = ['0'];
  const reading = (async () => {
    for await (const { containerId } of events) received.push(containerId);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'conflict' });
  expect(received).toEqual(Array.from({ length: 1024 }, (_, index) => String(index)));
});
