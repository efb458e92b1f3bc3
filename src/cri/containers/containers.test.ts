import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { A3sError } from '../../errors.ts';
import { stopContainer as stopRunning } from '../../pods/containers/stop-container.ts';
import { TestHome } from '../../server/testing/home.ts';
import { allow, deny } from '../../server/testing/signed-images.ts';
import { ContainerState, MountPropagation, Signal } from '../api/enums.ts';
import { RuntimeService } from '../grpc/library.ts';
import { CriClient } from '../testing/cri-client.ts';

const { runPodSandbox, removePodSandbox, stopPodSandbox, podSandboxStatus } = RuntimeService.method;
const { createContainer, startContainer, stopContainer, removeContainer } = RuntimeService.method;
const { listContainers, streamContainers, containerStatus, execSync } = RuntimeService.method;
const { updateContainerResources, reopenContainerLog } = RuntimeService.method;

const { PROPAGATION_HOST_TO_CONTAINER } = MountPropagation;

const INVALID = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED } = ContainerState;

let home: TestHome;
let client: CriClient;
let directory: string;
let pod: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  home = new TestHome();
  home.cri = join(directory, 'cri.sock');
  home.trust.rules = [allow('**')];
  await home.start();
  client = new CriClient(home.cri);
});
beforeEach(async () => {
  const metadata = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };
  pod = (await client.call(runPodSandbox, { config: { metadata } })).podSandboxId;
});
afterEach(async () => {
  await client.call(removePodSandbox, { podSandboxId: pod });
});
afterAll(async () => {
  client?.close();
  await home?.remove();
  rmSync(directory, { recursive: true, force: true });
});

const create = async (name: string, command: readonly string[], more = {}) => {
  const config = {
    metadata: { name, attempt: 0 },
    image: { image: 'busybox', userSpecifiedImage: 'busybox:latest' },
    command: [...command],
    ...more,
  };
  return (await client.call(createContainer, { podSandboxId: pod, config })).containerId;
};
const start = (containerId: string) => client.call(startContainer, { containerId });
const stop = (containerId: string, timeout = 10n) =>
  client.call(stopContainer, { containerId, timeout });
const remove = (containerId: string) => client.call(removeContainer, { containerId });
const statusOf = async (containerId: string) =>
  (await client.call(containerStatus, { containerId })).status;
const stateOf = async (id: string) => (await statusOf(id))?.state;
const started = async (name: string, command: readonly string[] = ['sleep', 'infinity']) => {
  const id = await create(name, command);
  await start(id);
  return id;
};
const guest = () => home.agents.get(pod)?.containers;
const disks = () => home.host.vm(pod)?.diskSets;

describe('CreateContainer', () => {
  it('makes a record and a disk, of which the guest does not know', async () => {
    const id = await create('web', ['sleep', '1'], {
      labels: { app: 'x' },
      logPath: 'web/0.log',
      stopSignal: Signal.SIGQUIT,
    });
    expect(await statusOf(id)).toMatchObject({
      id,
      state: CONTAINER_CREATED,
      metadata: { name: 'web', attempt: 0 },
      image: { image: 'busybox', userSpecifiedImage: 'busybox:latest' },
      imageRef: expect.stringMatching(/^sha256:/),
      labels: { app: 'x' },
      startedAt: 0n,
      stopSignal: Signal.SIGQUIT,
    });
    expect([guest()?.all.size, disks()?.size]).toEqual([0, 0]);
    expect(readdirSync(join(home.config.home, 'pods', pod))).toEqual([`${id}.ext4`]);
    await expect(create('web', ['true'])).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
      details: expect.stringContaining(id),
    });
  });

  it('refuses an image that the policy refuses, and one that is not there', async () => {
    home.trust.rules = [deny('**')];
    try {
      await expect(create('evil', ['true'])).rejects.toMatchObject({
        details: expect.stringMatching(/^SignatureValidationFailed: /),
      });
    } finally {
      home.trust.rules = [allow('**')];
    }
    const image = { image: { image: 'nothing' } };
    await expect(create('none', ['true'], image)).rejects.toMatchObject({ code: NOT_FOUND });
    expect((await client.call(listContainers, {})).containers).toEqual([]);
  });

  it.each([
    [
      'mounts.image_sub_path',
      {
        mounts: [
          {
            image: { image: 'busybox' },
            imageSubPath: '../a',
            containerPath: '/a',
            readonly: true,
          },
        ],
      },
    ],
    ['mounts.readonly', { mounts: [{ image: { image: 'busybox' }, containerPath: '/a' }] }],
    [
      'mounts.host_path',
      {
        mounts: [
          { image: { image: 'busybox' }, hostPath: '/a', containerPath: '/a', readonly: true },
        ],
      },
    ],
    [
      'mounts.image_sub_path',
      { mounts: [{ hostPath: '/a', imageSubPath: 'a', containerPath: '/a' }] },
    ],
    [
      'mounts.propagation',
      {
        mounts: [
          { hostPath: '/a', containerPath: '/a', propagation: PROPAGATION_HOST_TO_CONTAINER },
        ],
      },
    ],
    ['devices', { devices: [{ hostPath: '/dev/kvm', containerPath: '/dev/kvm' }] }],
    ['envs', { envs: [{ key: 'a=b', value: new Uint8Array() }] }],
    ['log_path', { logPath: '../log' }],
  ])('refuses %s that no container can have', async (field, more) => {
    const logs = { logDirectory: '/var/log/pod' };
    const metadata = { name: 'logged', uid: 'uid', namespace: 'default', attempt: 0 };
    const { podSandboxId } = await client.call(runPodSandbox, { config: { metadata, ...logs } });
    const config = { metadata: { name: 'c' }, image: { image: 'busybox' }, ...more };
    await expect(client.call(createContainer, { podSandboxId, config })).rejects.toMatchObject({
      code: INVALID,
      details: expect.stringContaining(field),
    });
    await client.call(removePodSandbox, { podSandboxId });
  });

  it('refuses a privileged container of a pod that is not', async () => {
    const linux = { securityContext: { privileged: true } };
    await expect(create('root', ['true'], { linux })).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
    });
  });

  it('leaves nothing where the image is gone once the disk is made', async () => {
    const { pods, images } = home.runtime;
    const insert = pods.insertContainer.bind(pods);
    vi.spyOn(pods, 'insertContainer').mockImplementationOnce((made) => {
      const gone = new A3sError('no-such-image', 'No such image: busybox');
      vi.spyOn(images, 'resolve').mockRejectedValueOnce(gone);
      return insert(made);
    });
    await expect(create('web', ['true'])).rejects.toMatchObject({ code: NOT_FOUND });
    expect(readdirSync(join(home.config.home, 'pods', pod))).toEqual([]);
    await create('web', ['true']);
  });

  it('refuses a container of a pod that is stopped', async () => {
    await client.call(stopPodSandbox, { podSandboxId: pod });
    await expect(create('late', ['true'])).rejects.toMatchObject({ code: FAILED_PRECONDITION });
  });
});

describe('a container', () => {
  it('gets its disks, its spec and its process when it is started', async () => {
    const id = await create('web', ['sleep', 'infinity'], {
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
    await start(id);
    expect(await stateOf(id)).toBe(CONTAINER_RUNNING);
    const name = id.slice(0, 12);
    expect(
      disks()
        ?.get(name)
        ?.map(({ serial, readonly }) => [serial, readonly]),
    ).toEqual([
      [`${name}-l0`, true],
      [`${name}-changes`, false],
    ]);
    expect(guest()?.specs.get(id)).toMatchObject({
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
        oomScoreAdj: 500,
      },
      resources: { memoryBytes: 2 ** 26, cpuWeight: 1 },
    });
    expect((await statusOf(id))?.user?.linux).toMatchObject({
      ...{ uid: 7n, gid: 8n, supplementalGroups: [8n] },
    });
    await expect(start(id)).rejects.toMatchObject({ code: FAILED_PRECONDITION });
  });

  it.each([
    [['true'], { exitCode: 0, reason: 'Completed' }],
    [['sh', '-c', 'exit 7'], { exitCode: 7, reason: 'Error' }],
    [['oom'], { exitCode: 137, reason: 'OOMKilled' }],
  ])(
    'that runs %j ends with its code and reason, and gives back what it had',
    async (args, end) => {
      const id = await started('job', args);
      await expect.poll(() => statusOf(id)).toMatchObject({ ...end, state: CONTAINER_EXITED });
      await expect.poll(() => [guest()?.all.size, disks()?.size]).toEqual([0, 0]);
      const status = await statusOf(id);
      expect(status?.finishedAt).toBeGreaterThanOrEqual(status?.startedAt ?? 0n);
      await remove(id);
      expect(readdirSync(join(home.config.home, 'pods', pod))).toEqual([]);
    },
  );

  it('that cannot start has exited with the reason, and leaves nothing in the guest', async () => {
    const id = await create('wrong', ['/no/such/program']);
    await expect(start(id)).rejects.toMatchObject({
      details: expect.stringContaining('command-not-found'),
    });
    expect(await statusOf(id)).toMatchObject({
      ...{ state: CONTAINER_EXITED, exitCode: 128, reason: 'StartError' },
      message: expect.stringContaining('/no/such/program'),
    });
    expect([guest()?.all.size, disks()?.size]).toEqual([0, 0]);
  });

  it('stops by its signal, or is killed after the grace', async () => {
    const polite = await started('polite');
    await stop(polite);
    expect(await statusOf(polite)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 143 });
    const stubborn = await started('stubborn', ['stubborn']);
    await stop(stubborn, 1n);
    expect(await statusOf(stubborn)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 137 });
    await stop(stubborn);
    await stop('none');
  });

  it('ends when it is removed while it runs, and one that is gone is no error', async () => {
    const id = await started('running');
    await remove(id);
    await remove(id);
    await expect(statusOf(id)).rejects.toMatchObject({ code: NOT_FOUND });
    expect([guest()?.all.size, disks()?.size]).toEqual([0, 0]);
  });

  it('ends with its pod', async () => {
    const id = await started('short');
    await client.call(stopPodSandbox, { podSandboxId: pod });
    expect(await statusOf(id)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 137 });
    await remove(id);
  });

  it('runs beside others, and is found by what a filter names', async () => {
    const first = await create('a', ['true'], { labels: { app: 'x' } });
    const second = await started('b');
    const found = async (filter: object) =>
      (await client.call(listContainers, { filter })).containers.map(({ id }) => id);
    expect(await found({})).toEqual([first, second]);
    expect(await found({ podSandboxId: pod.slice(0, 12) })).toEqual([first, second]);
    expect(await found({ podSandboxId: 'none' })).toEqual([]);
    expect(await found({ id: second.slice(0, 8) })).toEqual([second]);
    expect(await found({ state: { state: CONTAINER_RUNNING } })).toEqual([second]);
    expect(await found({ labelSelector: { app: 'x' } })).toEqual([first]);
    const [message] = await client.stream(streamContainers, {});
    expect(message?.containers.map(({ id }) => id)).toEqual([first, second]);
    const { containersStatuses } = await client.call(podSandboxStatus, { podSandboxId: pod });
    expect(containersStatuses.map(({ id }) => id)).toEqual([first, second]);
  });

  it('gets other limits while it runs', async () => {
    const id = await create('limited', ['sleep', 'infinity'], {
      linux: { resources: { memoryLimitInBytes: 2n ** 26n, cpuShares: 512n } },
    });
    await start(id);
    const linux = { memoryLimitInBytes: 2n ** 27n };
    await client.call(updateContainerResources, { containerId: id, linux });
    expect(guest()?.all.get(id)?.resources).toMatchObject({ memoryBytes: 2 ** 27, cpuWeight: 20 });
    expect((await statusOf(id))?.resources?.linux).toMatchObject({
      ...{ memoryLimitInBytes: 2n ** 27n, cpuShares: 512n },
    });
  });
});

describe('ExecSync', () => {
  it('returns what a program printed, and its exit code', async () => {
    const containerId = await started('web');
    const cmd = ['sh', '-c', 'echo out; echo err >&2; exit 3'];
    const { stdout, stderr, exitCode } = await client.call(execSync, { containerId, cmd });
    expect([String(Buffer.from(stdout)), String(Buffer.from(stderr)), exitCode]).toEqual([
      ...['out\n', 'err\n', 3],
    ]);
  });

  it('kills a program that takes too long, with all that it started', async () => {
    const containerId = await started('web');
    const asked = client.call(execSync, { containerId, cmd: ['sleep', 'infinity'], timeout: 1n });
    await expect(asked).rejects.toMatchObject({ code: DEADLINE_EXCEEDED });
    const processes = () =>
      guest()
        ?.all.get(containerId)
        ?.describe()
        .processes.map(({ id }) => id);
    await expect.poll(processes).toEqual(['main']);
  });

  it('keeps the first bytes of a long output', async () => {
    const containerId = await started('web');
    const size = 7 * 2 ** 20;
    const cmd = ['bytes', String(size + 100_000)];
    const { stdout } = await client.call(execSync, { containerId, cmd });
    expect(stdout.length).toBe(size);
  });

  it('refuses a container that does not run, and a program that is not there', async () => {
    const created = await create('created', ['true']);
    const refused = (containerId: string, cmd: string[]) =>
      expect(client.call(execSync, { containerId, cmd })).rejects;
    await refused(created, ['true']).toMatchObject({ code: FAILED_PRECONDITION });
    await refused('none', ['true']).toMatchObject({ code: NOT_FOUND });
    await start(created);
    const running = await started('running');
    await refused(running, ['/no/program']).toMatchObject({ code: INVALID });
    await refused(running, []).toMatchObject({ code: INVALID });
  });
});

describe('the log of a container', () => {
  it('takes its output in the format of kubelet, goes on in a new file, and over a restart', async () => {
    const logDirectory = mkdtempSync(join(tmpdir(), 'a3s-logs-'));
    const metadata = { name: 'logged', uid: 'uid', namespace: 'default', attempt: 0 };
    const asked = { config: { metadata, logDirectory } };
    const { podSandboxId } = await client.call(runPodSandbox, asked);
    const config = {
      metadata: { name: 'c' },
      image: { image: 'busybox' },
      command: ['stubborn'],
      logPath: 'c.log',
    };
    const { containerId } = await client.call(createContainer, { podSandboxId, config });
    await start(containerId);
    const path = join(logDirectory, 'c.log');
    expect((await statusOf(containerId))?.logPath).toBe(path);
    const lines = (file: string): string[] =>
      readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.replace(/^\S+ /, ''));
    const signalled = home.agents.get(podSandboxId)?.containers.all.get(containerId);
    const print = () => signalled?.signalMain('SIGTERM');
    print();
    await expect.poll(() => lines(path)).toEqual(['stdout F ignored SIGTERM', '']);
    renameSync(path, `${path}.1`);
    await client.call(reopenContainerLog, { containerId });
    print();
    await expect.poll(() => lines(path)).toEqual(['stdout F ignored SIGTERM', '']);
    await home.crash();
    print();
    await home.start();
    await expect
      .poll(() => lines(path))
      .toEqual([...Array(2).fill('stdout F ignored SIGTERM'), '']);
    expect(lines(`${path}.1`)).toHaveLength(2);
    await stop(containerId, 0n);
    await expect(client.call(reopenContainerLog, { containerId })).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
    });
    await client.call(removePodSandbox, { podSandboxId });
    rmSync(logDirectory, { recursive: true });
  });
});

describe('the log of a container whose microVM ends', () => {
  it('keeps the line that was not finished', async () => {
    const logDirectory = mkdtempSync(join(tmpdir(), 'a3s-logs-'));
    const metadata = { name: 'logged', uid: 'uid', namespace: 'default', attempt: 0 };
    const asked = { config: { metadata, logDirectory } };
    const { podSandboxId } = await client.call(runPodSandbox, asked);
    const config = {
      ...{ metadata: { name: 'c' }, image: { image: 'busybox' }, logPath: 'c.log' },
      command: ['sh', '-c', 'bytes 4; sleep infinity'],
    };
    const { containerId } = await client.call(createContainer, { podSandboxId, config });
    await start(containerId);
    const output = home.runtime.runningPods.get(podSandboxId)?.outputs.get(containerId);
    await expect.poll(() => output?.next).toBe(4);
    home.host.running.find((vm) => vm.spec.id === podSandboxId)?.killed();
    await expect.poll(() => stateOf(containerId)).toBe(CONTAINER_EXITED);
    expect(readFileSync(join(logDirectory, 'c.log'), 'utf8')).toContain(
      ' stdout F \0\x01\x02\x03\n',
    );
    await client.call(removePodSandbox, { podSandboxId });
    rmSync(logDirectory, { recursive: true });
  });
});

describe('a server that starts again', () => {
  it('follows the containers that run, and has the guest give up all others', async () => {
    const [kept, ends, created] = [
      await started('kept'),
      await started('ends', ['stubborn']),
      await create('created', ['true']),
    ];
    const agents = guest();
    await home.crash();
    agents?.all.get(ends)?.kill();
    // Of a container whose record was lost.
    home.host.vm(pod)?.diskSets.set(created.slice(0, 12), []);
    await home.start();
    expect(await stateOf(kept)).toBe(CONTAINER_RUNNING);
    await expect.poll(() => statusOf(ends)).toMatchObject({ exitCode: 137, reason: 'Error' });
    expect(await stateOf(created)).toBe(CONTAINER_CREATED);
    await expect.poll(() => [...(agents?.all.keys() ?? [])]).toEqual([kept]);
    await expect.poll(() => [...(disks()?.keys() ?? [])]).toEqual([kept.slice(0, 12)]);
    await stop(kept);
    expect(await statusOf(kept)).toMatchObject({ exitCode: 143 });
  });

  it('stops a container once it is taken over', async () => {
    const id = await started('web');
    const agents = guest();
    if (agents === undefined) return expect.fail('the pod has no agent');
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    await home.crash();
    const list = agents.list.bind(agents);
    vi.spyOn(agents, 'list').mockImplementationOnce((stream) => void gate.then(() => list(stream)));
    await home.start();
    const stopping = stopRunning(home.runtime, id, 0);
    open();
    await stopping;
    expect(await statusOf(id)).toMatchObject({ state: CONTAINER_EXITED, exitCode: 137 });
  });

  it('removes disks of containers that are not on record, and no others', async () => {
    const id = await create('kept', ['true']);
    const directory = join(home.config.home, 'pods', pod);
    await home.crash();
    for (const left of [`${'a'.repeat(64)}.ext4`, `${'b'.repeat(64)}.ext4.new`]) {
      writeFileSync(join(directory, left), '');
    }
    await home.start();
    expect(readdirSync(directory)).toEqual([`${id}.ext4`]);
  });
});

describe('mounts', () => {
  const mounts = [
    { hostPath: '/var//lib/token', containerPath: '/run/token/', readonly: true },
    { hostPath: '/srv', containerPath: '/srv', readonly: true, recursiveReadOnly: true },
  ];
  const all = () => home.podMounts.mounted.get(pod);
  afterEach(() => {
    home.podMounts.available = false;
  });
  const runAgain = async () => {
    await client.call(removePodSandbox, { podSandboxId: pod });
    home.podMounts.available = true;
    const metadata = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };
    pod = (await client.call(runPodSandbox, { config: { metadata } })).podSandboxId;
  };

  it('mounts paths of the node in the share of the pod, from the start of a container to its end', async () => {
    await runAgain();
    expect(home.host.vm(pod)?.spec.shares).toEqual([
      { tag: 'pod', path: `/run/pods/${pod}`, readonly: false, mountsBelow: true },
    ]);
    const id = await create('web', ['sleep', 'infinity'], { mounts });
    expect(all()?.size).toBe(0);
    await start(id);
    expect(all()?.get(id)).toEqual([
      ...[
        {
          hostPath: '/var/lib/token',
          containerPath: '/run/token',
          readonly: true,
          recursive: false,
        },
      ],
      ...[{ hostPath: '/srv', containerPath: '/srv', readonly: true, recursive: true }],
    ]);
    expect(guest()?.specs.get(id)?.mounts).toEqual([
      ...[
        {
          kind: 'virtiofs',
          tag: 'pod',
          file: `${id.slice(0, 12)}-0`,
          destination: '/run/token',
          readonly: true,
        },
      ],
      ...[
        {
          kind: 'virtiofs',
          tag: 'pod',
          file: `${id.slice(0, 12)}-1`,
          destination: '/srv',
          readonly: true,
        },
      ],
    ]);
    expect((await statusOf(id))?.mounts).toMatchObject([
      { hostPath: '/var/lib/token', recursiveReadOnly: false },
      { hostPath: '/srv', recursiveReadOnly: true },
    ]);
    await stop(id, 0n);
    expect(all()?.size).toBe(0);
    await client.call(stopPodSandbox, { podSandboxId: pod });
    expect(all()).toBeUndefined();
  });

  it('fails a start whose mounts the node does not have, and undoes it', async () => {
    await runAgain();
    const id = await create('web', ['sleep', '1'], {
      mounts: [{ hostPath: '/missing', containerPath: '/a' }],
    });
    await expect(start(id)).rejects.toThrow('bind-source-missing');
    expect(await statusOf(id)).toMatchObject({ state: CONTAINER_EXITED, reason: 'StartError' });
    expect(all()?.size).toBe(0);
  });

  it('refuses mounts of a pod whose server can mount nothing', async () => {
    await expect(create('web', ['sleep', '1'], { mounts })).rejects.toMatchObject({
      code: INVALID,
      details: expect.stringContaining('Cannot mount paths of the node into this pod'),
    });
  });
});
