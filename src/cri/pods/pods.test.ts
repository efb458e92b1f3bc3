import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { A3sError } from '../../errors.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { TestHome } from '../../server/testing/home.ts';
import { NamespaceMode, PodSandboxState, Protocol } from '../api/enums.ts';
import { RuntimeService } from '../grpc/library.ts';
import { CriClient } from '../testing/cri-client.ts';

const { runPodSandbox, stopPodSandbox, removePodSandbox, podSandboxStatus } = RuntimeService.method;
const { listPodSandbox, streamPodSandboxes, status } = RuntimeService.method;

const INVALID = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const { SANDBOX_READY, SANDBOX_NOTREADY } = PodSandboxState;

const NOT_CONFIGURED = { ready: false, reason: 'NetworkNotConfigured', message: 'none' };

let home: TestHome;
let client: CriClient;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  home = new TestHome();
  home.cri = join(directory, 'cri.sock');
  await home.start();
  client = new CriClient(home.cri);
});
afterAll(async () => {
  client?.close();
  await home?.remove();
  rmSync(directory, { recursive: true, force: true });
});

const configOf = (name: string, more = {}) => ({
  metadata: { name, uid: `uid-${name}`, namespace: 'default', attempt: 0 },
  ...more,
});
const run = async (name: string, more = {}) =>
  (await client.call(runPodSandbox, { config: configOf(name, more) })).podSandboxId;
const remove = (podSandboxId: string) => client.call(removePodSandbox, { podSandboxId });
const stateOf = async (podSandboxId: string) =>
  (await client.call(podSandboxStatus, { podSandboxId })).status?.state;

describe('RunPodSandbox', () => {
  it('starts a microVM whose guest gets the pod’s names, network and limits', async () => {
    const id = await run('web', {
      hostname: 'web-0',
      dnsConfig: { servers: ['10.0.0.10'], searches: ['svc.local'], options: ['ndots:5'] },
      portMappings: [
        { protocol: Protocol.TCP, containerPort: 80, hostPort: 8080 },
        { protocol: Protocol.UDP, containerPort: 53, hostPort: 0 },
      ],
      linux: {
        sysctls: { 'net.ipv4.ip_forward': '1' },
        resources: { memoryLimitInBytes: 2n ** 28n, cpuQuota: 150_000n, cpuPeriod: 100_000n },
      },
    });
    const vm = home.host.vm(id);
    expect(vm?.spec).toMatchObject({ cpus: 2, shares: [] });
    expect(vm?.spec.nic?.ports).toEqual([
      { hostIp: '', hostPort: 8080, boxPort: 80, protocol: 'tcp' },
    ]);
    expect(home.agents.get(id)?.containers.pod).toMatchObject({
      hostname: 'web-0',
      network: { nameservers: ['10.0.0.10'], search: ['svc.local'], options: ['ndots:5'] },
      sysctls: [{ path: 'net/ipv4/ip_forward', value: '1' }],
      resources: { memoryBytes: 2 ** 28, cpuMillis: 1500 },
    });
    await remove(id);
  });

  it('reserves the name of a pod until it is removed', async () => {
    const id = await run('once');
    const taken = { code: FAILED_PRECONDITION, details: expect.stringContaining(id) };
    await expect(run('once')).rejects.toMatchObject(taken);
    await client.call(stopPodSandbox, { podSandboxId: id });
    await expect(run('once')).rejects.toMatchObject(taken);
    await remove(id);
    await remove(await run('once'));
  });

  it('leaves nothing of a pod whose microVM does not start', async () => {
    home.host.failNextLaunch(new Error('no microVM'));
    await expect(run('unlucky')).rejects.toMatchObject({ code: 13 });
    expect((await client.call(listPodSandbox, {})).items).toEqual([]);
    expect(readdirSync(join(home.config.home, 'pods'))).toEqual([]);
    expect(home.host.running).toEqual([]);
    await remove(await run('unlucky'));
  });

  it.each([
    [undefined, NamespaceMode.POD],
    [{}, NamespaceMode.POD],
    [{ pid: NamespaceMode.POD }, NamespaceMode.POD],
    [{ pid: NamespaceMode.CONTAINER }, NamespaceMode.CONTAINER],
  ])('reports the namespaces of a pod that asked for %j', async (namespaceOptions, pid) => {
    const id = await run('spaces', { linux: { securityContext: { namespaceOptions } } });
    const { status } = await client.call(podSandboxStatus, { podSandboxId: id });
    expect(status?.linux?.namespaces?.options).toMatchObject({ network: 0, ipc: 0, pid });
    await remove(id);
  });

  it('refuses what a microVM shares with no node, by name', async () => {
    const { POD, CONTAINER, NODE, TARGET } = NamespaceMode;
    const usual = { network: POD, ipc: POD, pid: CONTAINER };
    const refused = async (options: object, name: string) =>
      await expect(
        run('shared', {
          linux: { securityContext: { namespaceOptions: { ...usual, ...options } } },
        }),
      ).rejects.toMatchObject({ code: INVALID, details: expect.stringContaining(name) });
    await refused({ network: NODE }, 'HostNetwork');
    await refused({ ipc: NODE }, 'HostIPC');
    await refused({ pid: NODE }, 'HostPID');
    await refused({ pid: TARGET }, 'pid TARGET');
    await refused({ usernsOptions: { mode: POD } }, 'userns_options');
  });

  it.each([
    ['hostname', { hostname: '-' }],
    ['dev.a3s.tee', { annotations: { 'dev.a3s.tee': 'snp' } }],
    ['dns_config.servers', { dnsConfig: { servers: ['::1'] } }],
    ['dns_config.options', { dnsConfig: { options: ['a b'] } }],
    ['log_directory', { logDirectory: 'logs' }],
    ['kernel.hostname', { linux: { sysctls: { 'kernel.hostname': 'x' } } }],
    [
      'port_mappings.protocol',
      { portMappings: [{ protocol: Protocol.SCTP, containerPort: 1, hostPort: 1 }] },
    ],
    ['70000', { portMappings: [{ containerPort: 70_000, hostPort: 1 }] }],
    [
      'hugepage_limits',
      { linux: { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 1n }] } } },
    ],
  ])('refuses a %s that no pod can have', async (field, config) => {
    await expect(run('wrong', config)).rejects.toMatchObject({
      code: INVALID,
      details: expect.stringContaining(field),
    });
    expect((await client.call(listPodSandbox, {})).items).toEqual([]);
  });

  it('refuses the name of a runtime that is not this one', async () => {
    const config = configOf('other');
    const asked = client.call(runPodSandbox, { config, runtimeHandler: 'runc' });
    await expect(asked).rejects.toMatchObject({ code: INVALID });
    for (const runtimeHandler of ['a3s-snp', 'a3s-simulate']) {
      await expect(client.call(runPodSandbox, { config, runtimeHandler })).rejects.toMatchObject({
        code: INVALID,
        details: expect.stringContaining('the annotation dev.a3s.launch-spec cannot be used'),
      });
    }
    expect((await client.call(listPodSandbox, {})).items).toEqual([]);
    const { podSandboxId } = await client.call(runPodSandbox, { config, runtimeHandler: 'a3s' });
    await remove(podSandboxId);
  });
});

describe('a pod', () => {
  it('stays ready until it is stopped, and goes when it is removed', async () => {
    const id = await run('short');
    expect(await stateOf(id)).toBe(SANDBOX_READY);
    await client.call(stopPodSandbox, { podSandboxId: id });
    expect(await stateOf(id)).toBe(SANDBOX_NOTREADY);
    expect(home.host.vm(id)?.running).toBe(false);
    await client.call(stopPodSandbox, { podSandboxId: id });
    await remove(id);
    await remove(id);
    await client.call(stopPodSandbox, { podSandboxId: id });
    await expect(stateOf(id)).rejects.toMatchObject({ code: NOT_FOUND });
    expect(readdirSync(join(home.config.home, 'pods'))).toEqual([]);
    expect(readdirSync(home.config.runtimeDir)).not.toContain(id.slice(0, 12));
  });

  it('that is not on record makes no path of the node, whatever its id', async () => {
    const ends = [vi.spyOn(home.podMounts, 'end'), vi.spyOn(home.podNetworks, 'detach')];
    const podSandboxId = '../../../mnt';
    await client.call(stopPodSandbox, { podSandboxId });
    await client.call(removePodSandbox, { podSandboxId });
    for (const end of ends) {
      expect(end).not.toHaveBeenCalled();
      end.mockRestore();
    }
  });

  it('stops being ready when its microVM crashes, and says why', async () => {
    const id = await run('crashing');
    home.host.vm(id)?.crash('the VMM ended');
    await expect.poll(() => stateOf(id)).toBe(SANDBOX_NOTREADY);
    const { info } = await client.call(podSandboxStatus, { podSandboxId: id, verbose: true });
    expect(JSON.parse(info['info'] ?? '')).toMatchObject({ error: 'the VMM ended' });
    await remove(id);
  });

  it('matches filters by its id, the beginning of it, its state and its labels', async () => {
    const first = await run('a', { labels: { app: 'x', tier: 'front' } });
    const second = await run('b', { labels: { app: 'x' } });
    await client.call(stopPodSandbox, { podSandboxId: second });
    const found = async (filter: object) =>
      (await client.call(listPodSandbox, { filter })).items.map(({ id }) => id);
    expect(await found({})).toEqual([first, second]);
    expect(await found({ id: first.slice(0, 10) })).toEqual([first]);
    expect(await found({ id: 'none' })).toEqual([]);
    expect(await found({ state: { state: SANDBOX_NOTREADY } })).toEqual([second]);
    expect(await found({ labelSelector: { app: 'x', tier: 'front' } })).toEqual([first]);
    expect(await found({ labelSelector: { app: 'y' } })).toEqual([]);
    const [message] = await client.stream(streamPodSandboxes, {});
    expect(message?.podSandboxes.map(({ id }) => id)).toEqual([first, second]);
    for (const id of [first, second]) await remove(id);
  });

  it('runs on when its server ends, and is taken over by the next one', async () => {
    const [id, gone] = [await run('kept'), await run('lost')];
    await home.crash();
    home.host.vm(gone)?.killed();
    await home.start();
    expect(await stateOf(id)).toBe(SANDBOX_READY);
    expect(await stateOf(gone)).toBe(SANDBOX_NOTREADY);
    expect(home.host.vm(id)?.running).toBe(true);
    for (const each of [id, gone]) await remove(each);
    expect(home.host.running).toEqual([]);
  });

  it('runs on when the connection breaks while it is taken over, and ends when it is refused', async () => {
    const [broken, refused] = [await run('broken'), await run('refused')];
    const [one, other] = [home.agents.get(broken), home.agents.get(refused)];
    if (one === undefined || other === undefined) return expect.fail('a pod has no agent');
    await home.crash();
    vi.spyOn(one.containers, 'list').mockImplementationOnce(() => one.disconnect());
    vi.spyOn(other.containers, 'list').mockImplementationOnce(() => {
      throw new FakeRefusal('conflict', 'the guest has no pod');
    });
    await home.start();
    // Both are taken over, or not, by then.
    for (const each of [broken, refused]) await home.runtime.locks.run(each, async () => undefined);
    expect(home.host.vm(broken)?.running).toBe(true);
    expect(one.containers.list).toHaveBeenCalledTimes(2);
    expect(home.host.vm(refused)?.running).toBe(false);
    for (const each of [broken, refused]) await remove(each);
  });
});

describe('a pod in the network of the node', () => {
  const ready = { ready: true, reason: '', message: '' };
  beforeAll(() => Object.assign(home.podNetworks, { configured: true, answer: ready }));
  afterAll(() => Object.assign(home.podNetworks, { configured: false, answer: NOT_CONFIGURED }));

  it('gives a pod the address and the resolver of the network, which publishes its ports', async () => {
    const id = await run('cni', {
      portMappings: [{ protocol: Protocol.TCP, containerPort: 80, hostPort: 8080 }],
    });
    const [place] = home.podNetworks.attached.values();
    expect(place).toMatchObject({
      ...{ pod: id, name: 'cni', namespace: 'default', uid: 'uid-cni' },
      ports: [{ hostPort: 8080, boxPort: 80 }],
    });
    const { nic } = home.host.vm(id)?.spec ?? {};
    expect(nic).toMatchObject({ mac: place?.mac, ports: [] });
    expect(nic?.tap).toBeGreaterThan(0);
    expect(home.agents.get(id)?.containers.pod?.network).toEqual({
      ...{ kind: 'nic', mac: place?.mac, mtu: 1400, address: '10.89.0.2', prefixLength: 24 },
      ...{ gateway: '10.89.0.1', nameservers: ['10.96.0.10'], search: [] },
    });
    const answer = await client.call(podSandboxStatus, { podSandboxId: id });
    expect(answer.status?.network).toMatchObject({ ip: '10.89.0.2', additionalIps: [] });
    await client.call(stopPodSandbox, { podSandboxId: id });
    expect(home.podNetworks.attached.size).toBe(0);
    await remove(id);
  });

  it.each([
    ['gives a guest the IPv6 address of the network, and names it in the status', 22, true],
    ['names no IPv6 address of a guest whose agent gives it none', 21, false],
  ])('%s', async (_, maximum, hasIpv6) => {
    home.agentOptions = { protocol: { minimum: 1, maximum } };
    home.podNetworks.ipv6 = { address: 'fd00:89::2', prefixLength: 64 };
    const id = await run('dual');
    const router = { router: 'fe80::1', routerMac: '9a:55:9a:55:9a:55' };
    const { network } = home.agents.get(id)?.containers.pod ?? {};
    expect(network).toMatchObject({ kind: 'nic', address: '10.89.0.2' });
    expect(network).toHaveProperty('mtu', 1400);
    expect(network && 'ipv6' in network ? network.ipv6 : undefined).toEqual(
      hasIpv6 ? { ...home.podNetworks.ipv6, ...router } : undefined,
    );
    const answer = await client.call(podSandboxStatus, { podSandboxId: id });
    const additionalIps = hasIpv6 ? [{ ip: 'fd00:89::2' }] : [];
    expect(answer.status?.network).toMatchObject({ ip: '10.89.0.2', additionalIps });
    home.agentOptions = {};
    home.podNetworks.ipv6 = undefined;
    await remove(id);
  });

  it('prefers the DNS servers of a pod’s configuration to those of the network', async () => {
    const id = await run('dns', { dnsConfig: { servers: ['10.0.0.10'], options: ['ndots:5'] } });
    const pod = home.agents.get(id)?.containers.pod;
    expect(pod?.network).toMatchObject({ nameservers: ['10.0.0.10'], options: ['ndots:5'] });
    await remove(id);
  });

  it('starts the microVM while the network is made, and gives its guest no spec before', async () => {
    let join = (): void => undefined;
    home.podNetworks.joining = () =>
      new Promise((resolve) => {
        join = resolve;
      });
    const running = run('early');
    await vi.waitFor(() => expect(home.host.running).toHaveLength(1));
    const [vm] = home.host.running;
    expect(home.agents.get(vm?.spec.id ?? '')?.containers.pod).toBeUndefined();
    home.podNetworks.joining = undefined;
    join();
    const id = await running;
    expect(home.agents.get(id)?.containers.pod?.network).toMatchObject({ kind: 'nic' });
    await remove(id);
  });

  it('leaves nothing of a pod whose network fails once its microVM starts', async () => {
    home.podNetworks.joining = () => Promise.reject(new A3sError('network-failed', 'no address'));
    await expect(run('nowhere')).rejects.toThrow('network-failed');
    home.podNetworks.joining = undefined;
    expect(home.host.running).toEqual([]);
    expect(home.podNetworks.attached.size).toBe(0);
    expect(home.runtime.pods.pods()).toEqual([]);
  });

  it('takes a pod out of the network where its microVM does not start', async () => {
    const launching = vi.spyOn(home.runtime.engine, 'launch');
    launching.mockRejectedValueOnce(new A3sError('vmm-failed', 'QEMU ended'));
    await expect(run('unstarted')).rejects.toThrow('QEMU ended');
    launching.mockRestore();
    expect(home.podNetworks.attached.size).toBe(0);
  });

  it('stops a pod once the network has let it go, and knows it until then', async () => {
    const id = await run('stuck');
    home.podNetworks.stuck = new A3sError('network-failed', 'The plugin is stuck');
    const stopping = () => client.call(stopPodSandbox, { podSandboxId: id });
    await expect(stopping()).rejects.toThrow('The plugin is stuck');
    expect(home.host.vm(id)?.running).toBe(false);
    expect(await stateOf(id)).toBe(SANDBOX_NOTREADY);
    await expect(remove(id)).rejects.toThrow('The plugin is stuck');
    home.podNetworks.stuck = undefined;
    await stopping();
    await remove(id);
    expect(home.podNetworks.attached.size).toBe(0);
  });

  it('Status says that pods reach each other', async () => {
    const conditions = (await client.call(status, {})).status?.conditions;
    expect(conditions?.[1]).toMatchObject({ type: 'NetworkReady', status: true });
  });
});

it('Status says that pods run, and that no other pod reaches their addresses', async () => {
  const answer = await client.call(status, {});
  const conditions = answer.status?.conditions.map(({ type, status: is }) => [type, is]);
  expect(conditions).toEqual([
    ['RuntimeReady', true],
    ['NetworkReady', false],
  ]);
  expect(answer.runtimeHandlers.map(({ name }) => name)).toEqual([
    ...['', 'a3s', 'a3s-snp', 'a3s-simulate'],
  ]);
  expect(answer.features?.supplementalGroupsPolicy).toBe(true);
  const readonly = async () =>
    (await client.call(status, {})).runtimeHandlers[0]?.features?.recursiveReadOnlyMounts;
  expect(await readonly()).toBe(false);
  home.podMounts.available = true;
  expect(await readonly()).toBe(true);
  // No path of the node is mounted into a confidential pod.
  const of = (await client.call(status, {})).runtimeHandlers.map(({ features }) => features);
  expect(of.map((each) => each?.recursiveReadOnlyMounts)).toEqual([true, true, false, false]);
  home.podMounts.available = false;
});
