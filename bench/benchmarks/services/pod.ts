/**
 * A pod from RunPodSandbox until the program of a container runs, against `a3s-box run -d` from a
 * template and against containerd with runc; a further container; and the memory of a pod.
 *
 * Pods of both runtimes are in a network of CNI's plugin `bridge`.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeService } from '../../../src/cri/grpc/library.ts';
import { CriClient } from '../../../src/cri/testing/cri-client.ts';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import { until } from '../../../test/e2e/processes.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { withContainerd } from '../../peers/containerd.ts';
import { PodClient } from '../../pod-client.ts';
import { proportionalOf } from '../../process-memory.ts';
import { type BenchmarkResult, compared, timed } from '../../statistics.ts';
import { warm } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const { version, podSandboxStatus } = RuntimeService.method;

const BOX = ['run', '-d', BUSYBOX, 'sleep', '100000'];
const BRIDGE = 'a3sbench0';
/** Whose memory is read at a time. */
const IDLE = 10;

function network(directory: string): object {
  return {
    ...{ cniVersion: '1.0.0', name: 'bench', type: 'bridge', bridge: BRIDGE, isGateway: true },
    ipam: {
      ...{ type: 'host-local', dataDir: join(directory, 'ipam'), subnet: '10.213.8.0/24' },
      routes: [{ dst: '0.0.0.0/0' }],
    },
  };
}

/** Starts the actor's server with CRI, and runs `use` when pods have a template. */
async function withCri<T>(actor: Actor, use: (client: CriClient) => Promise<T>): Promise<T> {
  const socket = join(actor.directory, 'cri.sock');
  const cni = join(actor.directory, 'cni');
  mkdirSync(cni);
  writeFileSync(join(cni, '10-bench.conf'), JSON.stringify(network(actor.directory)));
  await warm(actor);
  await actor.stopServer();
  const server = actor.start(['serve', '--cri', socket, '--cni-conf-dir', cni]);
  server.stdout?.resume();
  server.stderr?.resume();
  const client = new CriClient(socket);
  try {
    await until(
      'CRI answers',
      async () => (await client.call(version, {}).catch(() => undefined)) !== undefined,
    );
    await until('pods have a template', async () => {
      const states = await actor.ok(['template', 'ls', '--format', '{{.State}}']);
      return states.split('\n').length === 2 && !states.includes('making');
    });
    return await use(client);
  } finally {
    client.close();
    execFileSync('sh', [
      '-c',
      `! ip link show ${BRIDGE} >/dev/null 2>&1 || ip link delete ${BRIDGE}`,
    ]);
  }
}

/** @throws Error for one that booted: that must not be measured as warm */
async function expectWarm(client: CriClient, podSandboxId: string): Promise<void> {
  const { info } = await client.call(podSandboxStatus, { podSandboxId, verbose: true });
  const { vm } = JSON.parse(info['info'] ?? '{}') as { vm?: { start?: string } };
  if (vm?.start !== 'template') throw new Error('Cannot be measured so: a pod booted');
}

async function startedPod(pods: PodClient, check: (id: string) => Promise<void>) {
  let id = '';
  const whole = await timed(async () => {
    id = await pods.start();
  });
  await check(id);
  const more = await pods.more(id, 'second');
  await pods.remove(id);
  return { whole, more };
}

async function startedBox(actor: Actor): Promise<number> {
  let box = '';
  const milliseconds = await timed(async () => {
    box = await actor.ok(BOX);
  });
  await actor.ok(['rm', '--force', box]);
  return milliseconds;
}

/** In MiB, of idle pods and idle boxes. */
async function memory(actor: Actor, pods: PodClient) {
  const ids: string[] = [];
  while (ids.length < IDLE) ids.push(await pods.start());
  const ofPods = proportionalOf(actor, ids);
  for (const id of ids) await pods.remove(id);
  const boxes: string[] = [];
  while (boxes.length < IDLE) boxes.push(await actor.ok(BOX));
  const ofBoxes = proportionalOf(actor, boxes);
  await actor.ok(['rm', '--force', ...boxes]);
  return { ofPods, ofBoxes };
}

async function measure(
  asked: Asked,
  { actor, ours, theirs }: { actor: Actor; ours: CriClient; theirs: PodClient },
): Promise<readonly BenchmarkResult[]> {
  const pods = new PodClient(ours, BUSYBOX);
  const { box, pod, peer } = await inTurns<'box' | 'pod' | 'peer', { whole: number; more: number }>(
    asked,
    {
      box: async () => ({ whole: await startedBox(actor), more: 0 }),
      pod: () => startedPod(pods, (id) => expectWarm(ours, id)),
      peer: () => startedPod(theirs, async () => undefined),
    },
  );
  const { ofPods, ofBoxes } = await memory(actor, pods);
  const all = (figures: readonly { whole: number; more: number }[], name: 'whole' | 'more') =>
    figures.map((figure) => figure[name]);
  const containerd = (name: 'whole' | 'more') => ({
    ...{ name: 'containerd with runc', samples: all(peer, name) },
  });
  const boxes = { name: 'a3s-box run -d', samples: all(box, 'whole') };
  return [
    compared('pod', 'ms', all(pod, 'whole'), boxes, '<= 1.3'),
    compared('pod-peer', 'ms', all(pod, 'whole'), containerd('whole'), ''),
    compared('pod-container', 'ms', all(pod, 'more'), containerd('more'), ''),
    compared('pod-memory', 'MiB', ofPods, { name: 'a box', samples: ofBoxes }, ''),
  ];
}

export const pod: Benchmark = {
  name: 'pod',
  run: (asked) =>
    withActor(({ actor, archive }) =>
      withCri(actor, (ours) =>
        withContainerd(archive, network(join(actor.directory, 'peer')), (client, cgroupParent) => {
          const theirs = new PodClient(client, `docker.io/${BUSYBOX}`, { cgroupParent });
          return measure(asked, { actor, ours, theirs });
        }),
      ),
    ),
};
