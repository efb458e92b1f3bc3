import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ContainerState, NamespaceMode, PodSandboxState } from '../../src/cri/api/enums.ts';
import { RuntimeService } from '../../src/cri/grpc/library.ts';
import { CriClient } from '../../src/cri/testing/cri-client.ts';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const { version, runPodSandbox, stopPodSandbox, removePodSandbox } = RuntimeService.method;
const { podSandboxStatus, createContainer, startContainer, stopContainer } = RuntimeService.method;
const { removeContainer, containerStatus, execSync } = RuntimeService.method;
const { updateContainerResources } = RuntimeService.method;
const { listContainers, podSandboxStats, updatePodSandboxResources } = RuntimeService.method;

const DEADLINE_EXCEEDED = 4;

let installation: Installation;
let actor: Actor;
let socket: string;
let client: CriClient;
let server: ChildProcess | undefined;
/** What pods have of their node. */
let node: string;
const BRIDGE = 'a3spods0';
beforeAll(async () => {
  node = mkdtempSync(join(tmpdir(), 'a3s-node-'));
  mkdirSync(join(node, 'cni'));
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  socket = join(actor.directory, 'cri.sock');
  await actor.prepare();
  await actor.stopServer();
  await serve();
  // That of boxes is in the home, and that of pods is made since CRI is served.
  await until('both templates are there', async () => {
    const states = await actor.ok(['template', 'ls', '--format', '{{.State}}']);
    return states.split('\n').length === 2 && !states.includes('making');
  });
});
afterAll(async () => {
  client?.close();
  await actor?.leave();
  expect(actor?.remains()).toEqual([]);
  installation?.remove();
  rmSync(node, { recursive: true });
});

async function serve(): Promise<void> {
  server = actor.start(['serve', '--cri', socket, '--cni-conf-dir', join(node, 'cni')]);
  server.stdout?.resume();
  server.stderr?.resume();
  client = new CriClient(socket);
  await until('CRI answers', async () => {
    const answer = await client.call(version, {}).catch(() => undefined);
    return answer?.runtimeName === 'a3s-box';
  });
}

const create = async (podSandboxId: string, name: string, script: string, more = {}) => {
  const config = {
    metadata: { name, attempt: 0 },
    image: { image: BUSYBOX },
    command: ['sh', '-c', script],
    linux: {
      resources: { memoryLimitInBytes: 2n ** 26n },
      // As kubelet has it.
      securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER } },
    },
    ...more,
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

  // The guest has the memory when the call returns; its container may have more then.
  await client.call(updatePodSandboxResources, {
    podSandboxId,
    resources: { memoryLimitInBytes: 2n ** 30n },
  });
  const linux = { memoryLimitInBytes: 900n * 2n ** 20n };
  await client.call(updateContainerResources, { containerId: polite, linux });
  const total = Number(/MemTotal: +(\d+)/.exec(await exec(polite, 'cat /proc/meminfo'))?.[1]);
  expect(total).toBeGreaterThan(1024 * 1024);
  const further = { podSandboxId, resources: { memoryLimitInBytes: 2n ** 31n } };
  await expect(client.call(updatePodSandboxResources, further)).rejects.toMatchObject({ code: 9 });

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
});

it('shares process ids as containers ask for, stops them, and shows one the files of another image', async () => {
  const metadata = { name: 'pids', uid: 'uid', namespace: 'default', attempt: 0 };
  const { podSandboxId } = await client.call(runPodSandbox, { config: { metadata } });
  const inMode = (namespaceOptions: { pid: number; targetId?: string }) => ({
    linux: { securityContext: { namespaceOptions } },
  });
  // Another one ends while they are read.
  const commands = (id: string) => exec(id, 'cd /proc; cat [0-9]*/comm 2>/dev/null; true');
  const own = await create(
    podSandboxId,
    'own',
    'exec sleep 601',
    inMode({ pid: NamespaceMode.CONTAINER }),
  );
  await start(own);
  const debug = await create(
    podSandboxId,
    'debug',
    "trap 'exit 7' TERM; while :; do usleep 100000; done",
    inMode({ pid: NamespaceMode.TARGET, targetId: own }),
  );
  await start(debug);
  expect(await exec(debug, 'cat /proc/1/comm; ls /proc/1/root/')).toMatch(/^sleep\n.*bin\n/s);
  await until('the target sees it', async () => (await commands(own)).includes('usleep'));
  expect(await exec(own, 'kill -TERM $(pidof sh | tr " " "\\n" | grep -vx $$)')).toBe('');
  await until('it has ended', async () => (await statusOf(debug))?.finishedAt !== 0n);
  expect(await statusOf(debug)).toMatchObject({ exitCode: 7 });

  // What an exec leaves behind goes on, until the container ends or an exec is late.
  const left = await exec(own, 'sleep 604 >/dev/null 2>&1 & echo $!');
  expect(left).toMatch(/^\d+\n$/);
  const cmd = ['sh', '-c', 'sleep 605 & wait'];
  await expect(client.call(execSync, { containerId: own, cmd, timeout: 1n })).rejects.toMatchObject(
    { code: DEADLINE_EXCEEDED },
  );
  const sleepers = (): Promise<string> =>
    exec(own, 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; true');
  await until('the late one has ended', async () => !(await sleepers()).includes('sleep 605'));
  expect(await sleepers()).toContain('sleep 604');
  expect(await exec(own, `kill ${left}`)).toBe('');

  const image = { image: { image: BUSYBOX }, containerPath: '/image', readonly: true };
  const shared = await create(podSandboxId, 'shared', 'exec sleep 602', {
    ...inMode({ pid: NamespaceMode.POD }),
    mounts: [image],
  });
  await start(shared);
  expect(await exec(shared, 'cat /proc/1/comm')).not.toBe('sleep\n');
  expect(await exec(shared, '/image/bin/busybox echo here; touch /image/new 2>&1; true')).toMatch(
    /^here\n.*Read-only/s,
  );
  const second = await create(podSandboxId, 'second', 'exec usleep 600000000', { linux: {} });
  await start(second);
  await until('the other sees it', async () => (await commands(shared)).includes('usleep'));
  expect(await commands(own)).not.toContain('usleep');
  // More than a template of boxes has ports for.
  const { info } = await client.call(podSandboxStatus, { podSandboxId, verbose: true });
  expect(JSON.parse(info['info'] ?? '')).toMatchObject({ vm: { start: 'template' } });
  const more = ['third', 'fourth', 'fifth'];
  for (const name of more) {
    await start(await create(podSandboxId, name, `echo ${name} >/dev/shm/${name}; exec sleep 603`));
  }
  await until('all of them run', async () =>
    (await exec(own, 'ls /dev/shm')).includes('fifth\nfourth\nthird\n'),
  );
  const listed = await client.call(listContainers, { filter: { podSandboxId } });
  const running = listed.containers.filter(
    ({ state }) => state === ContainerState.CONTAINER_RUNNING,
  );
  expect(running).toHaveLength(6);
  // SIGTERM ends what is not process 1 of its namespace, and process 1 ignores it.
  await client.call(stopContainer, { containerId: second, timeout: 1000n });
  expect(await statusOf(second)).toMatchObject({ exitCode: 143, reason: 'Error' });
  const executed = client.call(execSync, { containerId: own, cmd: ['sh', '-c', 'sleep 606'] });
  await until('the exec runs', async () => (await sleepers()).includes('sleep 606'));
  await client.call(stopContainer, { containerId: own, timeout: 1n });
  expect(await statusOf(own)).toMatchObject({ exitCode: 137, reason: 'Error' });
  expect(await executed).toMatchObject({ exitCode: 137 });
  await client.call(stopContainer, { containerId: own, timeout: 1000n });
  await client.call(stopContainer, { containerId: shared, timeout: 0n });
  expect(await statusOf(shared)).toMatchObject({ exitCode: 137 });
  await client.call(removePodSandbox, { podSandboxId });
});

it('mounts what kubelet mounts, and gives a pod of a pool an address of its node’s network', async () => {
  const cni = {
    ...{ cniVersion: '1.0.0', name: 'pods', type: 'bridge', bridge: BRIDGE, isGateway: true },
    ipam: {
      ...{ type: 'host-local', dataDir: join(node, 'ipam') },
      ranges: ['10.213.7.0/24', 'fd00:213:7::/64'].map((subnet) => [{ subnet }]),
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    },
  };
  writeFileSync(join(node, 'cni/10-pods.conf'), JSON.stringify(cni));
  const secret = join(node, 'secret');
  const put = (version: string) => {
    mkdirSync(join(secret, `..${version}`), { recursive: true });
    writeFileSync(join(secret, `..${version}`, 'token'), version);
    symlinkSync(`..${version}`, join(secret, '..data_tmp'));
    renameSync(join(secret, '..data_tmp'), join(secret, '..data'));
  };
  put('first');
  symlinkSync('..data/token', join(secret, 'token'));
  writeFileSync(join(node, 'hosts'), '10.213.7.9 of-kubelet\n');
  writeFileSync(join(node, 'message'), '');
  const mounts = [
    { hostPath: secret, containerPath: '/var/run/secrets/token', readonly: true },
    { hostPath: join(node, 'empty'), containerPath: '/cache' },
    { hostPath: join(node, 'hosts'), containerPath: '/etc/hosts' },
    { hostPath: join(node, 'message'), containerPath: '/dev/termination-log' },
  ];
  await actor.ok(['pool', 'set', '--pods', '--size', '1', '--wait', 'pods']);
  const metadata = { name: 'node', uid: 'uid', namespace: 'default', attempt: 0 };
  const { podSandboxId } = await client.call(runPodSandbox, { config: { metadata } });
  const { status, info } = await client.call(podSandboxStatus, { podSandboxId, verbose: true });
  expect(JSON.parse(info['info'] ?? '')).toMatchObject({ vm: { start: 'pool' } });
  expect(status?.network).toMatchObject({
    ...{ ip: '10.213.7.2', additionalIps: [{ ip: 'fd00:213:7::2' }] },
  });
  const web = await create(
    podSandboxId,
    'web',
    'echo there >/cache/file; while echo hello | nc -l -p 80; do :; done',
    { mounts },
  );
  await start(web);
  // Its mounts are in the namespace of the pod's file server.
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8');
  expect(mounted).not.toContain(`${actor.runtimeDir}/pod-mounts`);
  for (const address of ['10.213.7.2', 'fd00:213:7::2']) {
    expect(await answerOf(address, 80)).toBe('hello\n');
  }
  expect(await callerOf(web, 'fd00:213:7::1')).toBe('fd00:213:7::2');
  expect(await exec(web, 'nc 10.213.7.1 1; ip route')).toContain('default via 10.213.7.1');
  expect(readFileSync(join(node, 'empty/file'), 'utf8')).toBe('there\n');
  const resources = { memoryLimitInBytes: 2n ** 26n };
  await client.call(updatePodSandboxResources, { podSandboxId, resources });
  const { stats } = await client.call(podSandboxStats, { podSandboxId });
  const [own] = stats?.linux?.containers ?? [];
  for (const cpu of [stats?.linux?.cpu, own?.cpu]) {
    expect(cpu?.usageCoreNanoSeconds?.value).toBeGreaterThan(0n);
  }
  expect(stats?.linux?.memory?.availableBytes?.value).toBeLessThan(2n ** 26n);
  expect(stats?.linux?.network?.defaultInterface?.rxBytes?.value).toBeGreaterThan(0n);
  const token = () => exec(web, 'cat /var/run/secrets/token/token');
  expect(await token()).toBe('first');
  expect(await exec(web, 'cat /etc/hosts')).toBe('10.213.7.9 of-kubelet\n');
  expect(await exec(web, 'touch /var/run/secrets/token/new 2>&1; true')).toContain('Read-only');
  await exec(web, 'echo done >/dev/termination-log');
  expect(readFileSync(join(node, 'message'), 'utf8')).toBe('done\n');

  // It may be filling, and what it has ends with the server.
  client.close();
  await actor.killServer();
  await serve();
  await actor.ok(['pool', 'rm', 'pods']);
  put('second');
  await until('the new secret is seen', async () => (await token()) === 'second');
  const job = await create(podSandboxId, 'job', 'cat /cache/file >/cache/copy', { mounts });
  await start(job);
  await until('the job has ended', async () => (await statusOf(job))?.finishedAt !== 0n);
  expect(readFileSync(join(node, 'empty/copy'), 'utf8')).toBe('there\n');

  await client.call(removePodSandbox, { podSandboxId });
  expect(readdirSync(join(node, 'ipam/pods')).filter((name) => /^(10\.|fd)/.test(name))).toEqual(
    [],
  );
  // A microVM for the pool may have been starting when it was removed.
  await until('no mount point is left', async () => {
    return !readdirSync(actor.runtimeDir).includes('pod-mounts');
  });
  expect(readdirSync(join(actor.home, 'pools'))).toEqual([]);
  expect(readdirSync(secret)).toContain('token');
  rmSync(join(node, 'cni/10-pods.conf'));
  execFileSync('ip', ['link', 'delete', BRIDGE]);
});

/** What a program in a pod says to the node. It may not listen yet. */
async function answerOf(host: string, port: number): Promise<string> {
  let text = '';
  await until('the pod answers', async () => {
    const socket = connect(port, host);
    socket.on('error', () => undefined);
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    await new Promise((resolve) => socket.once('close', resolve));
    text = Buffer.concat(pieces).toString();
    return text !== '';
  });
  return text;
}

/** The address from which a pod calls the node at an address of IPv6. */
async function callerOf(containerId: string, host: string): Promise<string> {
  const server = createServer((socket) => socket.end(`${socket.remoteAddress}`));
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return await exec(containerId, `nc ${host} ${port} </dev/null`);
  } finally {
    server.close();
  }
}
