import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeVm } from '../../engine/testing/fake-vm.ts';
import { A3sError } from '../../errors.ts';
import { PoolHome } from '../../server/testing/pool-home.ts';
import { TEMPLATE_KEY } from '../../server/testing/templates.ts';
import { RuntimeService } from '../grpc/library.ts';
import { CriClient } from '../testing/cri-client.ts';

const { runPodSandbox, removePodSandbox, podSandboxStatus } = RuntimeService.method;

const PODS = { network: 'default', pods: true };

let home: PoolHome;
let client: CriClient;
let directory: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  home = new PoolHome();
  home.cri = join(directory, 'cri.sock');
  await home.serve();
  client = new CriClient(home.cri);
});
afterEach(async () => {
  client.close();
  await home.remove();
  rmSync(directory, { recursive: true, force: true });
});

const run = async (name: string, more = {}) => {
  const metadata = { name, uid: `uid-${name}`, namespace: 'default', attempt: 0 };
  const { podSandboxId } = await client.call(runPodSandbox, { config: { metadata, ...more } });
  return podSandboxId;
};
const remove = (podSandboxId: string) => client.call(removePodSandbox, { podSandboxId });
const detailsOf = async (podSandboxId: string) => {
  const { info } = await client.call(podSandboxStatus, { podSandboxId, verbose: true });
  return JSON.parse(info['info'] ?? '') as { vm: object; unpooled?: Record<string, string> };
};

describe('a pool of pods', () => {
  it('fills with paused microVMs that were warmed up and have ports for containers', async () => {
    home.podMounts.available = true;
    await home.filled(1, PODS);
    const [vm] = home.host.running;
    const id = vm?.spec.id ?? '';
    expect(vm?.spec).toMatchObject({
      template: { key: TEMPLATE_KEY, shape: { cpus: 1, sparePorts: 13 } },
      shares: [{ tag: 'pod', path: `/run/pods/${id}` }],
    });
    expect([vm?.paused, vm?.cards.size]).toEqual([true, 0]);
    expect(home.agents.get(id)?.warmedUp?.process.args).toEqual(['true']);
    // They go with it.
    expect(await home.podMounts.list()).toEqual([id]);
    await home.call('DELETE', '/a3s/v1/pools/default');
    expect([vm?.running, await home.podMounts.list()]).toEqual([false, []]);
  });

  it('gives a pod a microVM with its card, its spec and its file server, and is refilled', async () => {
    home.podMounts.available = true;
    await home.filled(1, PODS);
    const [vm] = home.host.running;
    const id = await run('web', { hostname: 'web-0' });
    expect(id).toBe(vm?.spec.id);
    expect((await detailsOf(id)).vm).toEqual({ start: 'pool', source: TEMPLATE_KEY });
    expect(vm?.paused).toBe(false);
    expect(vm?.uplinks.get(0)).toEqual({ ports: [], identity: vm?.spec.identity });
    const agent = home.agents.get(id);
    expect(agent?.reseeded?.machineId.replaceAll('-', '')).toBe(id.slice(0, 32));
    expect(agent?.containers.pod).toMatchObject({ hostname: 'web-0' });
    const slot = join(home.config.home, 'pods', id, 'slot.ext4');
    expect(readFileSync(slot, 'utf8')).toBe('template');
    await home.full();
    const [, next] = home.host.running;
    expect(next?.spec.identity.uid === vm?.spec.identity.uid).toBe(process.geteuid?.() !== 0);
    expect(await home.podMounts.list()).toEqual([id, next?.spec.id]);
    expect(await home.happened('pool')).toEqual(['create', 'fill', 'take', 'fill']);
    await remove(id);
    expect([vm?.running, await home.podMounts.list()]).toEqual([false, [next?.spec.id]]);
    expect(home.leftDirectories()).toEqual([next?.spec.id.slice(0, 12)]);
  });

  it('attaches the card of a pod to the network of the node', async () => {
    await home.filled(1, PODS);
    home.podNetworks.configured = true;
    const [vm] = home.host.running;
    const id = await run('web');
    expect(id).toBe(vm?.spec.id);
    expect(vm?.uplinks.get(0)).toEqual({ tap: expect.any(Number) });
    expect(home.agents.get(id)?.containers.pod?.network).toMatchObject({
      ...{ kind: 'nic', address: '10.89.0.2', mac: vm?.cards.get(0) },
    });
    await remove(id);
    expect(home.podNetworks.attached.size).toBe(0);
  });

  it('lets a server that was started again take over its pod, and no microVM that waited', async () => {
    await home.filled(1, PODS);
    const id = await run('web');
    await home.full();
    const [, waiting] = home.host.running;
    await home.stop();
    await home.serve();
    client.close();
    client = new CriClient(home.cri ?? '');
    expect((await detailsOf(id)).vm).toMatchObject({ start: 'pool' });
    expect(home.runtime.runningPods.get(id)?.vm.id).toBe(id);
    expect(waiting?.running).toBe(false);
    await remove(id);
  });

  it.each([
    ['more memory', { linux: { resources: { memoryLimitInBytes: 2n ** 40n } } }, /memory/],
    [
      'more processors',
      { linux: { resources: { cpuQuota: 150_000n, cpuPeriod: 100_000n } } },
      /it has 2 CPUs/,
    ],
    ['privileges', { linux: { securityContext: { privileged: true } } }, /privileged/],
  ])('starts a pod with %s in another way, and says why', async (_, config, why) => {
    await home.filled(1, PODS);
    const id = await run('other', config);
    const { vm, unpooled } = await detailsOf(id);
    expect(vm).not.toMatchObject({ start: 'pool' });
    expect(unpooled?.['default']).toMatch(why);
    expect(await home.pool()).toMatchObject({ ready: 1 });
  });

  it('says that none was ready, and starts the pod from the template', async () => {
    await home.filled(1, PODS);
    home.templates.warmFailure = new A3sError('disk-full', 'no room');
    await run('first');
    const { vm, unpooled } = await detailsOf(await run('second'));
    expect([vm, unpooled]).toMatchObject([
      { start: 'template' },
      { default: 'it has no microVM ready' },
    ]);
    expect(await home.happened('pool')).toContain('miss');
  });

  it('serves no box, and a pool of boxes serves no pod', async () => {
    await home.filled(1, PODS);
    await home.set(1, { network: 'default' }, 'boxes');
    await home.call('POST', '/a3s/v1/pools/boxes/wait');
    const [ofPods, ofBoxes] = home.host.running;
    const box = await home.create(['sleep', 'infinity']);
    expect(await home.startBox(box)).toBe(204);
    expect(home.runtime.store.expect(box).state.machine?.id).toBe(ofBoxes?.spec.id);
    expect(await run('web')).toBe(ofPods?.spec.id);
  });

  it.each<[string, (vm: FakeVm | undefined) => void]>([
    [
      'its monitor does not answer',
      (vm) => vm?.cardFailures.push(new A3sError('vmm-failed', 'no answer')),
    ],
    ['its disk is gone', (vm) => unlinkSync(vm?.spec.disks[0]?.path ?? '')],
    [
      'it ends',
      (vm) => {
        const { podNetworks } = home;
        const attach = podNetworks.attach.bind(podNetworks);
        podNetworks.attach = (place) => {
          vm?.crash();
          return attach(place);
        };
      },
    ],
  ])('starts a pod from the template when the microVM fails: %s', async (_, spoil) => {
    await home.filled(1, PODS);
    home.podNetworks.configured = true;
    const [vm] = home.host.running;
    spoil(vm);
    const id = await run('web');
    expect(id).toBe(vm?.spec.id);
    expect((await detailsOf(id)).vm).toMatchObject({ start: 'template' });
    expect(vm?.running).toBe(false);
    await remove(id);
    expect(existsSync(join(home.config.runtimeDir, id.slice(0, 12)))).toBe(false);
  });

  it('spends no microVM on a pod whose port is taken, or whose name is', async () => {
    await home.filled(1, PODS);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, resolve));
    try {
      const { port: hostPort } = taken.address() as AddressInfo;
      const config = { portMappings: [{ containerPort: 80, hostPort }] };
      await expect(run('web', config)).rejects.toThrow('port-in-use');
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
    await run('twice', { linux: { securityContext: { privileged: true } } });
    await expect(run('twice')).rejects.toThrow('name-in-use');
    expect(await home.pool()).toMatchObject({ ready: 1 });
  });

  it('leaves nothing of a pod whose card cannot be attached', async () => {
    home.podMounts.available = true;
    await home.filled(1, PODS);
    const [vm] = home.host.running;
    vm?.cardFailures.push(new A3sError('port-in-use', 'taken'));
    await expect(run('web')).rejects.toThrow('port-in-use');
    expect(vm?.running).toBe(false);
    expect(home.runtime.pods.pods()).toEqual([]);
    expect(await home.podMounts.list()).not.toContain(vm?.spec.id);
  });

  it('ends the microVM of a pod that gets no place in the network of the node', async () => {
    await home.filled(1, PODS);
    home.podNetworks.configured = true;
    home.podNetworks.attach = () => Promise.reject(new A3sError('network-failed', 'no address'));
    const [vm] = home.host.running;
    await expect(run('web')).rejects.toThrow('network-failed');
    expect(vm?.running).toBe(false);
    expect(home.runtime.pods.pods()).toEqual([]);
  });

  it.each([{ network: 'none' }, { mounts: false }])(
    'refuses a pool of pods with %j',
    async (more) => {
      expect(await home.set(1, { ...PODS, ...more })).toMatchObject({
        ...{ status: 400, body: { code: 'invalid-argument' } },
      });
    },
  );
});
