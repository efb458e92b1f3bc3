import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate as otherWork } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { NONE, PoolHome, until } from '../testing/pool-home.ts';
import { TEMPLATE_KEY } from '../testing/templates.ts';

let home: PoolHome;
beforeEach(async () => {
  home = new PoolHome();
  await home.serve();
});
afterEach(() => home.remove());

describe('a pool', () => {
  it('applies the box’s host limits to a microVM from the pool before the box runs', async () => {
    await home.filled(1);
    const limits = { CpusetCpus: '0', CpuShares: 512 };
    const id = await home.create(['sleep', 'infinity'], {
      HostConfig: { NetworkMode: 'none', ...limits },
    });
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    const vm = home.runtime.store.expect(id).state.machine?.id ?? '';
    expect(home.host.vm(vm)?.limits).toMatchObject([{ processors: [0], nice: 3 }]);
  });

  it('fills the pool in the background with warmed up, paused microVMs', async () => {
    await home.filled(2);
    expect(await home.pool()).toMatchObject({ size: 2, ready: 2, state: 'full', error: '' });
    expect(home.host.running).toHaveLength(2);
    for (const vm of home.host.running) {
      expect(vm.paused).toBe(true);
      expect(vm.spec.template?.key).toBe(TEMPLATE_KEY);
      const agent = home.agents.get(vm.spec.id);
      expect(agent?.warmedUp?.process.args).toEqual(['true']);
      expect(agent?.reseeded).toBeUndefined();
    }
    const uids = home.host.running.map(({ spec }) => spec.identity.uid);
    if (process.geteuid?.() === 0) expect(new Set(uids).size).toBe(2);
    expect(await home.happened('pool')).toEqual(['create', 'fill', 'fill']);
  });

  it('gives a microVM of the pool to a box, and refills the pool', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    const machineId = vm?.spec.id ?? '';
    const id = await home.create(['sleep', 'infinity'], NONE);
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    expect(vm?.paused).toBe(false);
    expect(vm?.attached.map(({ path, serial }) => [basename(path), serial])).toEqual([
      ['warm-up.erofs', 'layer-6'],
      ['null', 'layer-0'],
    ]);
    const agent = home.agents.get(machineId);
    expect(agent?.reseeded?.machineId.replaceAll('-', '')).toBe(machineId.slice(0, 32));
    expect(agent?.spec?.hostname).toBe(id.slice(0, 12));
    const disk = join(home.config.home, 'boxes', id, 'changes.ext4');
    expect(readFileSync(disk, 'utf8')).toBe('template');
    await home.full();
    expect(home.host.running).toHaveLength(2);
    expect(home.poolDisks()).toHaveLength(1);
    expect(await home.happened('pool')).toEqual(['create', 'fill', 'take', 'fill']);
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(vm?.running).toBe(false);
    expect(existsSync(join(home.config.runtimeDir, machineId.slice(0, 12)))).toBe(false);
    // The box has a used disk, and therefore starts from the template the next time.
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('template');
    expect(await home.pool()).toMatchObject({ ready: 1 });
  });

  it.each([
    ['with a network policy', 'bridge', { Egress: { Rules: ['allow:*.example.org'] } }],
    ['in a user-defined network', 'db', {}],
  ])(
    'attaches a card that leads to the place of a box %s to a microVM of the pool',
    async (_, mode, more) => {
      await home.call('POST', '/networks/create', { Name: 'db' });
      await home.filled(1, { network: 'default' });
      const [vm] = home.host.running;
      const id = await home.create(['sleep', 'infinity'], {
        HostConfig: { NetworkMode: mode, PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] } },
        ...more,
      });
      expect(await home.startBox(id)).toBe(204);
      expect(await home.startOf(id)).toBe('pool');
      expect([vm?.uplinks.get(0), vm?.paused]).toEqual([{ tap: expect.any(Number) }, false]);
      const place = home.hostNetworks.attached.get(id);
      const [port] = home.runtime.store.expect(id).state.ports;
      expect(place?.ports).toMatchObject([{ hostPort: port?.hostPort, boxPort: 80 }]);
      expect(home.agents.get(vm?.spec.id ?? '')?.spec?.network).toMatchObject({
        ...{ kind: 'nic', address: place?.address, mac: place?.mac },
      });
      expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
      expect(home.hostNetworks.attached.has(id)).toBe(false);
    },
  );

  it('gives a box of the pool all its networks, with IPv6 addresses, before it runs', async () => {
    const IPAM = { Config: [{ Subnet: '10.1.2.0/24' }, { Subnet: 'fd00:89::/64' }] };
    await home.call('POST', '/networks/create', { Name: 'db', EnableIPv6: true, IPAM });
    const other = { Config: [{ Subnet: '10.1.3.0/24' }] };
    await home.call('POST', '/networks/create', { Name: 'web', IPAM: other });
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], {
      HostConfig: { NetworkMode: 'db' },
      NetworkingConfig: { EndpointsConfig: { db: {}, web: {} } },
    });
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    const [first, second] = home.hostNetworks.placesOf(id);
    expect([first, second]).toMatchObject([
      { address: '10.1.2.2', address6: 'fd00:89::2' },
      { address: '10.1.3.2' },
    ]);
    expect([...(vm?.cards ?? [])]).toEqual([
      [0, first?.mac],
      [1, second?.mac],
    ]);
    expect(home.agents.get(vm?.spec.id ?? '')?.networks?.cards).toMatchObject([
      { device: 'eth0', address: '10.1.2.2', ipv6: { address: 'fd00:89::2' } },
      { device: 'eth1', address: '10.1.3.2' },
    ]);
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(home.hostNetworks.placesOf(id)).toEqual([]);
  });

  it('publishes the ports of a box in the default network from its microVM of the pool', async () => {
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], publishing(''));
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    const [port] = home.runtime.store.expect(id).state.ports;
    expect(port).toEqual({
      ...{ hostIp: '127.0.0.1', hostPort: expect.any(Number), boxPort: 80, protocol: 'tcp' },
    });
    expect(vm?.uplinks.get(0)).toEqual({ ports: [port], identity: vm?.spec.identity });
    const shown = (await home.call('GET', `/containers/${id}/json`)).body;
    const bindings = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port?.hostPort) }] };
    expect(shown).toMatchObject({ NetworkSettings: { Ports: bindings } });
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(home.runtime.store.expect(id).state.ports).toEqual([]);
  });

  it('keeps no card in a microVM that waits for a box of any network, and gives a box its own', async () => {
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    expect([vm?.spec.nic, vm?.hasLaunchedCard, vm?.cards.size]).toEqual([undefined, false, 0]);
    const id = await home.create(['sleep', 'infinity']);
    expect(await home.startBox(id)).toBe(204);
    const [mac] = [...(vm?.cards.values() ?? [])];
    expect([...(vm?.cards.keys() ?? [])]).toEqual([0]);
    expect(home.agents.get(vm?.spec.id ?? '')?.spec?.network).toMatchObject({ mac });
    expect(vm?.uplinks.get(0)).toEqual({ ports: [], identity: vm?.spec.identity });
  });

  it('attaches no card to a microVM of a pool without a network', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    expect(await home.startBox(await home.create(['sleep', 'infinity'], NONE))).toBe(204);
    expect([vm?.hasLaunchedCard, vm?.cards.size, vm?.paused]).toEqual([true, 0, false]);
  });

  it('starts a box from a template where its microVM of the pool takes no card', async () => {
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    if (vm !== undefined) vm.attachFailure = new A3sError('vmm-failed', 'netdev');
    const id = await home.create(['sleep', 'infinity'], { Egress: { Rules: [] } });
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('template');
    expect([vm?.running, vm?.cards.size]).toEqual([false, 0]);
    expect(home.hostNetworks.placesOf(id)).toHaveLength(1);
  });

  it('gives a box of the pool its options, and the same ones at its next start', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], {
      HostConfig: {
        ...{ NetworkMode: 'none', CapDrop: ['ALL'], GroupAdd: ['42'], OomScoreAdj: 5 },
        Sysctls: { 'net.core.somaxconn': '9' },
      },
    });
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    const spec = home.agents.get(vm?.spec.id ?? '')?.spec;
    expect(spec).toMatchObject({
      confinement: { capabilities: [], groups: ['42'], oomScoreAdj: 5 },
      sysctls: [{ path: 'net/core/somaxconn', value: '9' }],
    });
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('template');
    const { confinement, sysctls } = home.agents.get(id)?.spec ?? {};
    expect({ confinement, sysctls }).toEqual({
      confinement: spec?.confinement,
      sysctls: spec?.sysctls,
    });
  });

  it('gives two boxes that start at once different microVMs of the pool', async () => {
    await home.filled(2);
    const ids = [await home.create(['true'], NONE), await home.create(['true'], NONE)];
    expect(await Promise.all(ids.map((id) => home.startBox(id)))).toEqual([204, 204]);
    const vmIds = ids.map((id) => home.runtime.store.expect(id).state.machine?.id);
    expect(new Set(vmIds).size).toBe(2);
    expect(await Promise.all(ids.map((id) => home.startOf(id)))).toEqual(['pool', 'pool']);
    const entropies = vmIds.map((id) => home.agents.get(id ?? '')?.reseeded?.entropy);
    expect(new Set(entropies).size).toBe(2);
  });

  it('starts from the template when the pool is empty, and records the miss', async () => {
    await home.filled(1);
    const first = await home.create(['sleep', 'infinity'], NONE);
    const open = home.host.holdLaunches();
    await home.startBox(first);
    const second = await home.create(['sleep', 'infinity'], NONE);
    const started = home.startBox(second);
    await until(() => home.host.launches.some(({ id }) => id === second));
    open();
    expect(await started).toBe(204);
    expect(await home.startOf(second)).toBe('template');
    expect(await home.happened('pool')).toContain('miss');
  });

  it('gives a box of the pool its mounts in memory and a read-only root', async () => {
    await home.filled(1);
    const id = await home.create(['sleep', 'infinity'], {
      HostConfig: {
        ...{ NetworkMode: 'none', Memory: 2 ** 26, ShmSize: 4096, ReadonlyRootfs: true },
        Tmpfs: { '/run': 'exec' },
      },
    });
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    const vm = home.runtime.store.expect(id).state.machine?.id ?? '';
    expect(home.agents.get(vm)?.spec).toMatchObject({
      rootfs: { readonly: true },
      shmBytes: 4096,
      tmpfs: [{ destination: '/run', sizeBytes: 2 ** 25, flags: ['exec'] }],
    });
  });

  it('attaches the mounts of a box to its microVM of the pool before the box runs', async () => {
    const disk = { Name: 'disk', DriverOpts: { type: 'disk', size: '64m' } };
    expect((await home.call('POST', '/volumes/create', disk)).status).toBe(201);
    await home.filled(1);
    const [vm] = home.host.running;
    expect([vm?.spec.takesShares, vm?.spec.shares]).toEqual([true, []]);
    const Binds = [`${home.config.home}:/mnt:ro`, 'data:/data', 'disk:/disk'];
    const id = await home.create(['sleep', 'infinity'], {
      HostConfig: { NetworkMode: 'none', Binds },
    });
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    expect(vm?.shares).toEqual([
      { tag: 'bind-0', path: home.config.home, readonly: true, resolved: true },
      expect.objectContaining({ tag: 'volume-0', readonly: false, resolved: true }),
    ]);
    expect([...(vm?.diskSets ?? [])]).toEqual([
      ['mounts', [expect.objectContaining({ serial: 'volume-0', readonly: false })]],
    ]);
    expect(home.agents.get(vm?.spec.id ?? '')?.spec?.mounts).toMatchObject([
      { kind: 'virtiofs', tag: 'bind-0', destination: '/mnt' },
      { kind: 'virtiofs', tag: 'volume-0', destination: '/data' },
      { kind: 'disk', serial: 'volume-0', destination: '/disk' },
    ]);
  });

  it('ends no microVM that takes no mounts before its network is made', async () => {
    await home.call('POST', '/networks/create', { Name: 'db' });
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    if (vm !== undefined) vm.sharesFailure = new A3sError('vmm-failed', 'no file server');
    let meanwhile: boolean | undefined;
    home.hostNetworks.making = async () => {
      for (let turns = 0; turns < 2000; turns += 1) await otherWork();
      meanwhile = vm?.running;
    };
    const id = await home.create(['sleep', 'infinity'], {
      HostConfig: { NetworkMode: 'db', Binds: [`${home.config.home}:/mnt:ro`] },
    });
    expect(await home.startBox(id)).toBe(204);
    expect([await home.startOf(id), meanwhile, vm?.running]).toEqual(['template', true, false]);
  });

  it('serves a box with a bind mount from no pool without mounts', async () => {
    await home.filled(1, { mounts: false });
    const [vm] = home.host.running;
    expect(vm?.spec.takesShares).toBe(false);
    const HostConfig = { NetworkMode: 'none', Binds: ['/tmp:/mnt'] };
    const id = await home.create(['sleep', 'infinity'], { HostConfig });
    expect(await home.startBox(id)).toBe(204);
    expect([await home.startOf(id), vm?.shares]).toEqual(['template', []]);
  });

  it.each([
    ['the other network', {}],
    ['more memory', { HostConfig: { NetworkMode: 'none', Memory: 2 ** 30 } }],
    [
      'a disk of another size',
      { HostConfig: { NetworkMode: 'none', StorageOpt: { size: '64M' } } },
    ],
  ])('does not use the pool for a box with %s', async (_, more) => {
    await home.filled(1);
    const id = await home.create(['sleep', 'infinity'], more);
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('template');
    expect(await home.pool()).toMatchObject({ ready: 1 });
  });

  it('shrinks, grows and reshapes a pool', async () => {
    await home.filled(2);
    const before = home.host.running.map(({ spec }) => spec.id);
    await home.filled(1);
    await until(() => home.host.running.length === 1);
    expect(before).toContain(home.host.running[0]?.spec.id);
    await home.filled(1, { memoryBytes: 2 ** 29 });
    // Waiting for the pool does not include the microVMs that are being removed.
    const large = await home.create(['true'], {
      HostConfig: { NetworkMode: 'none', Memory: 2 ** 29 },
    });
    expect(await home.startBox(large)).toBe(204);
    expect(await home.startOf(large)).toBe('pool');
    await home.full();
    await until(() => home.host.running.length === 1 && home.poolDisks().length === 1);
    expect(before).not.toContain(home.host.running[0]?.spec.id);
    await home.filled(0);
    await until(() => home.host.running.length === 0 && home.leftDirectories().length === 0);
    await until(() => home.poolDisks().length === 0 && home.templates.held === 0);
  });

  it('removes a pool with its microVMs, also while one is launched', async () => {
    await home.filled(1);
    const open = home.host.holdLaunches();
    await home.set(2);
    await until(() => home.host.launches.length === 2);
    expect((await home.call('DELETE', '/a3s/v1/pools/default')).status).toBe(204);
    open();
    await until(() => home.host.running.length === 0 && home.poolDisks().length === 0);
    expect((await home.call('GET', '/a3s/v1/pools')).body).toEqual({ pools: [] });
    expect((await home.call('GET', '/a3s/v1/pools/default')).status).toBe(404);
    expect((await home.call('DELETE', '/a3s/v1/pools/default')).status).toBe(404);
    expect(home.templates.held).toBe(0);
  });

  it('replaces pool microVMs that end unexpectedly', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    vm?.crash();
    await until(async () => (await home.happened('pool')).includes('end'));
    await until(() => home.leftDirectories().length === 0);
    await home.set(1);
    await home.full();
    expect(home.host.running).toHaveLength(1);
    expect(home.host.running[0]).not.toBe(vm);
  });

  it('replaces pool microVMs whose template is too old or dropped', async () => {
    home.templates.expiresAt = new Date(Date.now() - 1).toISOString();
    await home.set(1);
    // Its age is looked at when it is ready: until one has gone for it, the template stays old.
    await until(async () => (await home.happened('pool')).includes('end'));
    home.templates.expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    await home.full();
    await until(() => home.host.running.length === 1);
    const [vm] = home.host.running;
    home.templates.there = false;
    const id = await home.create(['sleep', 'infinity'], NONE);
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('cold');
    await home.set(1);
    await until(() => vm?.running === false);
    expect(await home.pool()).toMatchObject({ ready: 0 });
  });
});

/** What a box in the default network publishes. */
function publishing(HostPort: string): Record<string, unknown> {
  const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort }] };
  return { HostConfig: { PortBindings } };
}

describe('an invalid pool', () => {
  it.each([
    ['too many microVMs', { size: 65 }, 400],
    ['more processors than there are', { size: 1, cpus: 1024 }, 400],
    ['another network', { size: 1, network: 'host' }, 400],
    ['something unknown', { size: 1, binds: 1 }, 400],
  ])('refuses an invalid pool: %s', async (_, body, status) => {
    expect((await home.call('PUT', '/a3s/v1/pools/default', body)).status).toBe(status);
    expect((await home.call('GET', '/a3s/v1/pools')).body).toEqual({ pools: [] });
  });

  it('refuses an invalid pool name', async () => {
    expect((await home.set(1, {}, '%20')).status).toBe(400);
    expect((await home.set(1, {}, 'x'.repeat(64))).status).toBe(400);
  });

  it('refuses a pool larger than the memory of the host', async () => {
    const memoryBytes = Math.floor(home.runtime.host.memoryBytes / 2);
    const answer = await home.set(64, { memoryBytes });
    expect(answer).toMatchObject({ status: 500, body: { code: 'out-of-memory' } });
    expect((await home.call('GET', '/a3s/v1/pools')).body).toEqual({ pools: [] });
  });

  it('refuses a pool on a server without templates', async () => {
    Object.assign(home.templates, { enabled: false });
    expect(await home.set(1)).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
  });
});

describe('a server that ends', () => {
  it('drains the pools when the server stops, and the next one fills them again', async () => {
    await home.filled(2);
    await home.stop();
    expect(home.host.running).toEqual([]);
    expect(existsSync(join(home.config.home, 'pools'))).toBe(false);
    expect(existsSync(home.config.runtimeDir)).toBe(false);
    expect(home.templates.held).toBe(0);
    await home.start();
    expect(await home.pool()).toMatchObject({ size: 2 });
  });

  it('drains the pools of a stopping server while one is filled and another taken', async () => {
    await home.filled(1);
    const id = await home.create(['sleep', 'infinity'], NONE);
    await Promise.all([home.startBox(id).catch(() => 0), home.stop()]);
    const { machine } = home.runtime.store.expect(id).state;
    const others = home.host.running.filter(({ spec }) => spec.id !== machine?.id);
    expect(others).toEqual([]);
    await home.serve();
    await until(() => home.runtime.store.expect(id).state.status !== 'starting');
    expect(['created', 'running']).toContain(home.runtime.store.expect(id).state.status);
  });

  it('undoes a start from the pool that a killed server began', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], NONE);
    // The start is recorded, and its microVM has not been resumed yet.
    home.runtime.store.advance(id, 'start', { run: 1 });
    const { spec } = vm ?? {};
    if (spec === undefined) throw new Error('there is no microVM');
    const state = { id: spec.id, identity: spec.identity, start: 'pool' as const };
    const port = { hostIp: '127.0.0.1', hostPort: 8080, boxPort: 80, protocol: 'tcp' as const };
    home.runtime.store.amend(id, {
      ports: [port],
      machine: { ...state, source: TEMPLATE_KEY },
    });
    // The killed server ends no microVM of its pool.
    const kept = home.runtime.pools.close.bind(home.runtime.pools);
    Object.assign(home.runtime.pools, { close: async () => undefined });
    await home.crash();
    await home.serve();
    await until(() => home.runtime.store.expect(id).state.status === 'created');
    expect([vm?.running, home.runtime.store.expect(id).state.ports]).toEqual([false, []]);
    await kept();
  });

  it('removes what a killed server left of its pools', async () => {
    const left = 'f'.repeat(64);
    await home.stop();
    const disks = join(home.config.home, 'pools', left);
    mkdirSync(disks, { recursive: true });
    writeFileSync(join(disks, 'changes.ext4'), '');
    mkdirSync(join(home.config.runtimeDir, left.slice(0, 12)), { recursive: true });
    await home.serve();
    expect(home.host.sweeps).toContain(left.slice(0, 12));
    await until(() => home.poolDisks().length === 0);
    expect(home.leftDirectories()).toEqual([]);
  });
});
