import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ContainerState, PodSandboxState } from '../../src/cri/api/enums.ts';
import { RuntimeService } from '../../src/cri/grpc/library.ts';
import { CriClient } from '../../src/cri/testing/cri-client.ts';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const { version, runPodSandbox, stopPodSandbox, removePodSandbox } = RuntimeService.method;
const { podSandboxStatus, createContainer, startContainer, stopContainer } = RuntimeService.method;
const { removeContainer, containerStatus, execSync } = RuntimeService.method;

let installation: Installation;
let actor: Actor;
let socket: string;
let client: CriClient;
let server: ChildProcess | undefined;
beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  socket = join(actor.directory, 'cri.sock');
  await actor.prepare();
  await actor.stopServer();
  await serve();
}, 240_000);
afterAll(async () => {
  client?.close();
  await actor?.leave();
  expect(actor?.remains()).toEqual([]);
  installation?.remove();
});

async function serve(): Promise<void> {
  server = actor.start(['serve', '--cri', socket]);
  server.stdout?.resume();
  server.stderr?.resume();
  client = new CriClient(socket);
  await until('CRI answers', async () => {
    const answer = await client.call(version, {}).catch(() => undefined);
    return answer?.runtimeName === 'a3s-box';
  });
}

const create = async (podSandboxId: string, name: string, script: string) => {
  const config = {
    metadata: { name, attempt: 0 },
    image: { image: BUSYBOX },
    command: ['sh', '-c', script],
    linux: { resources: { memoryLimitInBytes: 2n ** 26n } },
  };
  return (await client.call(createContainer, { podSandboxId, config })).containerId;
};
const start = (containerId: string) => client.call(startContainer, { containerId });
const exec = async (containerId: string, script: string) => {
  const { stdout } = await client.call(execSync, { containerId, cmd: ['sh', '-c', script] });
  return Buffer.from(stdout).toString();
};
const statusOf = async (containerId: string) =>
  (await client.call(containerStatus, { containerId })).status;

it('runs containers in a pod’s microVM over a kill of the server, and leaves nothing of them', async () => {
  const metadata = { name: 'web', uid: 'uid', namespace: 'default', attempt: 0 };
  const config = { metadata, hostname: 'web-0', dnsConfig: { servers: ['10.9.8.7'] } };
  const { podSandboxId } = await client.call(runPodSandbox, { config });
  const { info } = await client.call(podSandboxStatus, { podSandboxId, verbose: true });
  expect(JSON.parse(info['info'] ?? '')).toMatchObject({ vm: { start: 'template' } });
  const polite = await create(
    podSandboxId,
    'polite',
    "trap 'exit 5' TERM; echo there >/file; while :; do sleep 1; done",
  );
  const stubborn = await create(
    podSandboxId,
    'stubborn',
    'echo there >/dev/shm/file; exec sleep 600',
  );
  for (const id of [polite, stubborn]) await start(id);
  expect(actor.vmms()).toHaveLength(1);
  expect(await exec(polite, 'hostname; cat /dev/shm/file; ls /file')).toBe('web-0\nthere\n/file\n');
  expect(await exec(stubborn, 'cat /etc/resolv.conf; ls /fil*; cat /proc/1/comm')).toBe(
    'nameserver 10.9.8.7\nsleep\n',
  );
  expect(await exec(stubborn, 'grep -o web-0 /etc/hosts')).toBe('web-0\n');

  const job = await create(podSandboxId, 'job', 'exit 3');
  await start(job);
  await until('the job has ended', async () => (await statusOf(job))?.finishedAt !== 0n);
  expect(await statusOf(job)).toMatchObject({ exitCode: 3, reason: 'Error' });

  client.close();
  await actor.killServer();
  await serve();
  expect((await client.call(podSandboxStatus, { podSandboxId })).status?.state).toBe(
    PodSandboxState.SANDBOX_READY,
  );
  expect((await statusOf(polite))?.state).toBe(ContainerState.CONTAINER_RUNNING);
  expect(await exec(polite, 'cat /file')).toBe('there\n');
  await client.call(stopContainer, { containerId: polite, timeout: 30n });
  expect(await statusOf(polite)).toMatchObject({ exitCode: 5, reason: 'Error' });
  await client.call(removeContainer, { containerId: stubborn });

  await client.call(stopPodSandbox, { podSandboxId });
  expect(actor.boxProcesses()).toEqual([]);
  await client.call(removePodSandbox, { podSandboxId });
  expect(readdirSync(join(actor.home, 'pods'))).toEqual([]);
  expect(readdirSync(actor.runtimeDir)).not.toContain(podSandboxId.slice(0, 12));
}, 90_000);
