import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ContainerState } from '../api/enums.ts';
import { RuntimeService } from '../grpc/library.ts';
import { servePod } from '../testing/serve-pod.ts';

const {
  stopPodSandbox,
  podSandboxStatus,
  listContainers,
  streamContainers,
  updateContainerResources,
} = RuntimeService.method;
const { CONTAINER_RUNNING, CONTAINER_EXITED } = ContainerState;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

const pod = servePod();

describe('a container', () => {
  it('gets its disks, its spec and its process when it is started', async () => {
    const id = await pod.create('web', ['sleep', 'infinity'], {
      envs: [{ key: 'A', value: Buffer.from('b') }],
      workingDir: '/srv',
      linux: {
        resources: { memoryLimitInBytes: 2n ** 26n, cpuShares: 2n, oomScoreAdj: 500n },
        securityContext: {
          runAsUser: { value: 7n },
          runAsGroup: { value: 8n },
          supplementalGroups: [9n],
          noNewPrivs: true,
          readonlyRootfs: true,
          capabilities: { addCapabilities: ['SYS_TIME'], dropCapabilities: ['ALL'] },
        },
      },
    });
    await pod.startContainer(id);
    expect(await pod.stateOf(id)).toBe(CONTAINER_RUNNING);
    const name = id.slice(0, 12);
    expect(pod.disks?.get(name)?.map(({ serial, readonly }) => [serial, readonly])).toEqual([
      [`${name}-l0`, true],
      [`${name}-changes`, false],
    ]);
    expect(pod.guest?.specs.get(id)).toMatchObject({
      rootfs: {
        layers: [{ serial: `${name}-l0` }],
        changes: { kind: 'disk', serial: `${name}-changes` },
        readonly: true,
      },
      process: {
        args: ['sleep', 'infinity'],
        env: expect.arrayContaining(['A=b', 'HOSTNAME=pod']),
        cwd: '/srv',
        user: '7:8',
      },
      confinement: {
        capabilities: ['CAP_SYS_TIME'],
        noNewPrivileges: true,
        groups: ['9'],
        groupsPolicy: 'merge',
        oomScoreAdj: 500,
      },
      resources: { memoryBytes: 2 ** 26, cpuWeight: 1 },
    });
    expect((await pod.statusOf(id))?.user?.linux).toMatchObject({
      ...{ uid: 7n, gid: 8n, supplementalGroups: [8n] },
    });
    await expect(pod.startContainer(id)).rejects.toMatchObject({ code: FAILED_PRECONDITION });
  });

  it.each([
    [['true'], { exitCode: 0, reason: 'Completed' }],
    [['sh', '-c', 'exit 7'], { exitCode: 7, reason: 'Error' }],
    [['oom'], { exitCode: 137, reason: 'OOMKilled' }],
  ])(
    'that runs %j ends with its code and reason, and gives back what it had',
    async (args, end) => {
      const id = await pod.started('job', args);
      await expect.poll(() => pod.statusOf(id)).toMatchObject({ ...end, state: CONTAINER_EXITED });
      await expect.poll(() => [pod.guest?.all.size, pod.disks?.size]).toEqual([0, 0]);
      const status = await pod.statusOf(id);
      expect(status?.finishedAt).toBeGreaterThanOrEqual(status?.startedAt ?? 0n);
      await pod.remove(id);
      expect(readdirSync(join(pod.home.config.home, 'pods', pod.id))).toEqual([]);
    },
  );

  it('that cannot start has exited with the reason, and leaves nothing in the guest', async () => {
    const id = await pod.create('wrong', ['/no/such/program']);
    await expect(pod.startContainer(id)).rejects.toMatchObject({
      details: expect.stringContaining('command-not-found'),
    });
    expect(await pod.statusOf(id)).toMatchObject({
      ...{ state: CONTAINER_EXITED, exitCode: 128, reason: 'StartError' },
      message: expect.stringContaining('/no/such/program'),
    });
    expect([pod.guest?.all.size, pod.disks?.size]).toEqual([0, 0]);
  });

  it('stops by its signal, or is killed after the grace', async () => {
    const polite = await pod.started('polite');
    await pod.stop(polite);
    expect(await pod.statusOf(polite)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 143 });
    const stubborn = await pod.started('stubborn', ['stubborn']);
    await pod.stop(stubborn, 1n);
    expect(await pod.statusOf(stubborn)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 137 });
    await pod.stop(stubborn);
    await pod.stop('none');
  });

  it('ends when it is removed while it runs, and one that is gone is no error', async () => {
    const id = await pod.started('running');
    await pod.remove(id);
    await pod.remove(id);
    await expect(pod.statusOf(id)).rejects.toMatchObject({ code: NOT_FOUND });
    expect([pod.guest?.all.size, pod.disks?.size]).toEqual([0, 0]);
  });

  it('ends with its pod', async () => {
    const id = await pod.started('short');
    await pod.client.call(stopPodSandbox, { podSandboxId: pod.id });
    expect(await pod.statusOf(id)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 137 });
    await pod.remove(id);
  });

  it('runs beside others, and is found by what a filter names', async () => {
    const first = await pod.create('a', ['true'], { labels: { app: 'x' } });
    const second = await pod.started('b');
    const found = async (filter: object) =>
      (await pod.client.call(listContainers, { filter })).containers.map(({ id }) => id);
    expect(await found({})).toEqual([first, second]);
    expect(await found({ podSandboxId: pod.id.slice(0, 12) })).toEqual([first, second]);
    expect(await found({ podSandboxId: 'none' })).toEqual([]);
    expect(await found({ id: second.slice(0, 8) })).toEqual([second]);
    expect(await found({ state: { state: CONTAINER_RUNNING } })).toEqual([second]);
    expect(await found({ labelSelector: { app: 'x' } })).toEqual([first]);
    const [message] = await pod.client.stream(streamContainers, {});
    expect(message?.containers.map(({ id }) => id)).toEqual([first, second]);
    const { containersStatuses } = await pod.client.call(podSandboxStatus, {
      podSandboxId: pod.id,
    });
    expect(containersStatuses.map(({ id }) => id)).toEqual([first, second]);
  });

  it('gets other limits while it runs', async () => {
    const id = await pod.create('limited', ['sleep', 'infinity'], {
      linux: { resources: { memoryLimitInBytes: 2n ** 26n, cpuShares: 512n } },
    });
    await pod.startContainer(id);
    const linux = { memoryLimitInBytes: 2n ** 27n };
    await pod.client.call(updateContainerResources, { containerId: id, linux });
    expect(pod.guest?.all.get(id)?.resources).toMatchObject({
      memoryBytes: 2 ** 27,
      cpuWeight: 20,
    });
    expect((await pod.statusOf(id))?.resources?.linux).toMatchObject({
      ...{ memoryLimitInBytes: 2n ** 27n, cpuShares: 512n },
    });
  });
});
