import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ContainerState, NamespaceMode, PodSandboxState } from '../../src/cri/api/enums.ts';
import { RuntimeService } from '../../src/cri/grpc/library.ts';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { KilledServer } from './killed-server.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

const { runPodSandbox, listPodSandbox, stopPodSandbox, removePodSandbox } = RuntimeService.method;
const { createContainer, startContainer, listContainers, execSync } = RuntimeService.method;
const { containerStatus, removeContainer } = RuntimeService.method;
const { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED } = ContainerState;

/** Pods in all, in bursts of ten: a soak has two hundred. */
const CYCLES = Number(process.env['POD_CYCLES'] ?? '200');
const BURST = 10;
const SLEEPERS = ['first', 'second', 'third', 'fourth'];
const JOB = 'job';
const LINES = 200;
/** Some fifteen times in a burst. */
const CHANGES_PER_KILL = 9;

let installation: Installation;
let actor: Actor;
let server: KilledServer;
let node: string;
beforeAll(async () => {
  node = mkdtempSync(join(tmpdir(), 'a3s-node-'));
  mkdirSync(join(node, 'cni'));
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  await actor.stopServer();
  const options = ['--cni-conf-dir', join(node, 'cni')];
  server = new KilledServer(actor, join(actor.directory, 'cri.sock'), options, CHANGES_PER_KILL);
  await server.start();
  // None is finished while the server is killed.
  await until('pods have a template', async () => {
    const states = await actor.ok(['template', 'ls', '--format', '{{.State}}']);
    return states.split('\n').length === 2 && !states.includes('making');
  });
});
afterAll(async () => {
  // Of a test that has failed.
  const left = (await server?.ask(listPodSandbox, {}))?.items ?? [];
  for (const { id } of left) await removePod(id);
  await server?.end();
  await actor?.leave();
  expect(actor?.remains()).toEqual([]);
  installation?.remove();
  rmSync(node, { recursive: true });
});

/** As kubelet does it: what a killed server left is found by its label. */
async function runPod(name: string): Promise<string> {
  const labels = { churn: name };
  for (let attempt = 0; ; attempt += 1) {
    const metadata = { name, uid: name, namespace: 'churn', attempt };
    const config = { metadata, labels, logDirectory: join(node, name) };
    const answer = await server.change(runPodSandbox, { config });
    if (answer !== undefined) return answer.podSandboxId;
    const filter = { labelSelector: labels };
    for (const { id, state } of (await server.ask(listPodSandbox, { filter })).items) {
      if (state === PodSandboxState.SANDBOX_READY) return id;
      await removePod(id);
    }
  }
}

async function removePod(podSandboxId: string): Promise<void> {
  await server.repeat(stopPodSandbox, { podSandboxId });
  await server.repeat(removePodSandbox, { podSandboxId });
}

/** @returns where its log is, and its id */
async function runContainer(podSandboxId: string, pod: string, name: string, script: string) {
  for (let attempt = 0; ; attempt += 1) {
    const labels = { churn: `${name}-${attempt}` };
    const logPath = `${name}-${attempt}.log`;
    const config = {
      ...{ metadata: { name, attempt }, labels, logPath, image: { image: BUSYBOX } },
      command: ['sh', '-c', script],
      linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER } } },
    };
    const made = await server.change(createContainer, { podSandboxId, config });
    const id = made?.containerId ?? (await found(podSandboxId, labels));
    if (id === undefined) continue;
    if (await started(id)) return { id, log: join(node, pod, logPath) };
    await server.repeat(removeContainer, { containerId: id });
  }
}

async function found(podSandboxId: string, labelSelector: Record<string, string>) {
  const filter = { podSandboxId, labelSelector };
  return (await server.ask(listContainers, { filter })).containers[0]?.id;
}

/** Whether its program began. */
async function started(containerId: string): Promise<boolean> {
  for (;;) {
    if ((await server.change(startContainer, { containerId })) !== undefined) return true;
    const { status } = await server.ask(containerStatus, { containerId });
    if (status?.state === CONTAINER_CREATED) continue;
    return status?.reason !== 'StartError';
  }
}

/** One pod, with all that its containers have to show. */
async function runWhole(name: string) {
  mkdirSync(join(node, name));
  const pod = await runPod(name);
  const sleepers = await Promise.all(
    SLEEPERS.map((each) =>
      runContainer(pod, name, each, `echo ${name} ${each} >/mark; exec sleep 100000`),
    ),
  );
  const lines = `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo line $i; done; exit 3`;
  const job = await runContainer(pod, name, JOB, lines);
  await Promise.all(
    sleepers.map(async ({ id }, index) => {
      const cmd = ['sh', '-c', 'until [ -s /mark ]; do usleep 10000; done; cat /mark'];
      const { stdout } = await server.repeat(execSync, { containerId: id, cmd });
      expect(Buffer.from(stdout).toString()).toBe(`${name} ${SLEEPERS[index]}\n`);
    }),
  );
  const statusOfJob = async () =>
    (await server.ask(containerStatus, { containerId: job.id })).status;
  await until('the job has ended', async () => (await statusOfJob())?.state === CONTAINER_EXITED);
  expect(await statusOfJob()).toMatchObject({ exitCode: 3, reason: 'Error' });
  const logged = readFileSync(job.log, 'utf8').split('\n').slice(0, -1);
  expect(logged.map((line) => line.split(' F ')[1])).toEqual(
    Array.from({ length: LINES }, (_, index) => `line ${index + 1}`),
  );
  return { pod, containers: [...sleepers.map(({ id }) => id), job.id] };
}

it(
  'loses no pod and no container, and leaves nothing of them, however often the server is killed',
  async () => {
    for (let done = 0; done < CYCLES; done += BURST) {
      const names = Array.from(
        { length: Math.min(BURST, CYCLES - done) },
        (_, index) => done + index,
      );
      const all = await Promise.all(names.map((each) => runWhole(`pod-${each}`)));
      const { items } = await server.ask(listPodSandbox, {});
      expect(items.map(({ id, state }) => [id, state]).toSorted()).toEqual(
        all.map(({ pod }) => [pod, PodSandboxState.SANDBOX_READY]).toSorted(),
      );
      const { containers } = await server.ask(listContainers, {});
      const states = all.flatMap(({ containers: ids }) =>
        ids.map((id, index) => [
          id,
          index < SLEEPERS.length ? CONTAINER_RUNNING : CONTAINER_EXITED,
        ]),
      );
      expect(containers.map(({ id, state }) => [id, state]).toSorted()).toEqual(states.toSorted());
      await Promise.all(all.map(({ pod }) => removePod(pod)));
      expect((await server.ask(listPodSandbox, {})).items).toEqual([]);
      expect((await server.ask(listContainers, {})).containers).toEqual([]);
      await until('no process of a pod is left', () => actor.boxProcesses().length === 0);
      expect(readdirSync(join(actor.home, 'pods'))).toEqual([]);
      const short = all.map(({ pod }) => pod.slice(0, 12));
      expect(readdirSync(actor.runtimeDir).filter((name) => short.includes(name))).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(actor.runtimeDir);
    }
    expect(server.kills).toBeGreaterThanOrEqual(Math.floor(CYCLES / 2));
  },
  scaled(CYCLES * 120_000),
);
