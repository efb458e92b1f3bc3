import { existsSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { NONE, PoolHome, until } from '../testing/pool-home.ts';

let home: PoolHome;
beforeEach(async () => {
  home = new PoolHome();
  await home.serve();
});
afterEach(() => home.remove());

describe('a pool that cannot be filled', () => {
  it('reports a failed fill, leaves no files, and retries later or on request', async () => {
    home.host.failNextLaunch(new A3sError('out-of-memory', 'no room'));
    expect((await home.set(1)).status).toBe(200);
    const waiting = await home.call('POST', '/a3s/v1/pools/default/wait');
    expect(waiting).toMatchObject({ status: 500, body: { code: 'out-of-memory' } });
    expect(await home.pool()).toMatchObject({ ready: 0, state: 'failing', error: 'no room' });
    expect(await home.happened('pool')).toEqual(['create', 'fail']);
    expect(home.host.launches).toHaveLength(1);
    expect([...home.poolDisks(), ...home.leftDirectories()]).toEqual([]);
    expect(home.templates.held).toBe(0);
    await home.filled(1);
    expect(await home.pool()).toMatchObject({ ready: 1, error: '' });
  });

  it('fails a fill when the guest cannot warm up', async () => {
    home.agentOptions = { refuseWarmUp: new FakeRefusal('setup-failed', 'no') };
    await home.set(1);
    await until(async () => (await home.pool()).state === 'failing');
    expect(home.host.running).toEqual([]);
    expect([...home.poolDisks(), ...home.leftDirectories()]).toEqual([]);
  });

  it('fills no pool that has a network with an agent that takes no later card', async () => {
    home.templates.protocol = 20;
    await home.set(1, { network: 'default' });
    await until(async () => (await home.pool()).state === 'failing');
    expect((await home.pool()).error).toContain('speaks protocol 20, and such pools need 21');
    expect([home.host.launches, home.templates.held, home.templates.drops]).toEqual([[], 0, []]);
    await home.filled(1, { network: 'none' });
  });

  it('drops a template from which a fill fails', async () => {
    home.host.failNextLaunch(new A3sError('template-unusable', 'bad'));
    await home.set(1);
    await until(() => home.templates.drops.length === 1);
    expect(home.templates.drops).toEqual(['bad']);
  });

  it('fails a fill when no template can be made', async () => {
    home.templates.warmFailure = new A3sError('disk-full', 'no space');
    await home.set(1);
    await until(async () => (await home.pool()).error === 'no space');
    expect(home.host.launches).toEqual([]);
  });
});

describe('a start with an unusable microVM of a pool', () => {
  it.each([
    ['it takes no layers', () => attachFails()],
    ['its agent is gone', () => home.host.running[0]?.crash()],
    ['its disk is gone', () => home.host.running.map(({ spec }) => unlink(spec.disks[0]?.path))],
  ])('starts from the template when the microVM from the pool fails: %s', async (_, spoil) => {
    await home.filled(1);
    const [vm] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], NONE);
    // The microVM breaks before the pool notices.
    const started = home.startBox(id);
    spoil();
    expect(await started).toBe(204);
    await until(() => vm?.running === false);
    expect(await home.startOf(id)).toMatch(/template/);
    expect(existsSync(join(home.config.runtimeDir, vm?.spec.id.slice(0, 12) ?? ''))).toBe(false);
  });

  it('leaves no microVM and no disk of a failed start that the box itself caused', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], NONE);
    const started = home.startBox(id);
    if (vm !== undefined) vm.attachFailure = new A3sError('state-unusable', 'no layer');
    expect(await started).toBe(500);
    expect(vm?.running).toBe(false);
    expect(existsSync(join(home.config.home, 'boxes', id, 'changes.ext4'))).toBe(false);
  });

  it('spends no microVM on a box whose port is taken', async () => {
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = taken.address() as AddressInfo;
      const id = await home.create(['sleep', 'infinity'], publishing(String(port)));
      const refused = await home.call('POST', `/containers/${id}/start`);
      expect(refused).toMatchObject({ status: 500, body: { code: 'port-in-use' } });
      expect(home.runtime.store.expect(id).state).toMatchObject({ status: 'created', ports: [] });
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
    expect(home.host.running).toEqual([vm]);
    expect(await home.pool()).toMatchObject({ ready: 1 });
    expect(await home.happened('pool')).toEqual(['create', 'fill']);
  });

  it('chooses another port where the chosen one is taken before it is bound', async () => {
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    vm?.cardFailures.push(new A3sError('port-in-use', 'taken'));
    const id = await home.create(['sleep', 'infinity'], publishing(''));
    expect(await home.startBox(id)).toBe(204);
    expect(await home.startOf(id)).toBe('pool');
    expect(vm?.uplinks.get(0)).toMatchObject({ ports: home.runtime.store.expect(id).state.ports });
  });

  it('ends the microVM of a box whose port is taken when it is bound, and nothing is left', async () => {
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    const free = await freePort();
    vm?.cardFailures.push(new A3sError('port-in-use', 'taken'));
    const id = await home.create(['sleep', 'infinity'], publishing(String(free)));
    const refused = await home.call('POST', `/containers/${id}/start`);
    expect(refused).toMatchObject({ status: 500, body: { code: 'port-in-use' } });
    expect([vm?.running, vm?.cards.size]).toEqual([false, 0]);
    expect(home.runtime.store.expect(id).state).toMatchObject({ status: 'created', ports: [] });
    expect(existsSync(join(home.config.home, 'boxes', id, 'changes.ext4'))).toBe(false);
    await home.full();
    expect(home.leftDirectories()).toEqual(
      home.host.running.map(({ spec }) => spec.id.slice(0, 12)),
    );
  });

  it('starts a box from the template where no translator comes for its ports', async () => {
    await home.filled(1, { network: 'default' });
    const [vm] = home.host.running;
    vm?.cardFailures.push(new A3sError('vmm-failed', 'passt ended'));
    const id = await home.create(['sleep', 'infinity'], publishing(''));
    expect(await home.startBox(id)).toBe(204);
    expect([await home.startOf(id), vm?.running]).toEqual(['template', false]);
    const launched = home.host.launches.find(({ id: launchedId }) => launchedId === id);
    expect(launched?.nic?.ports).toEqual(home.runtime.store.expect(id).state.ports);
  });

  it('starts a box from the template where its microVM takes no share', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    if (vm !== undefined) vm.sharesFailure = new A3sError('vmm-failed', 'no');
    const id = await home.create(['sleep', 'infinity'], MOUNTING);
    expect(await home.startBox(id)).toBe(204);
    expect([await home.startOf(id), vm?.running]).toEqual(['template', false]);
    const launched = home.host.launches.find(({ id: launchedId }) => launchedId === id);
    expect(launched?.shares).toHaveLength(1);
  });

  it('fails a start from the pool whose directory is gone, and nothing is left', async () => {
    await home.filled(1);
    const [vm] = home.host.running;
    if (vm !== undefined) vm.sharesFailure = new A3sError('bind-source-missing', 'gone');
    const id = await home.create(['sleep', 'infinity'], MOUNTING);
    const failed = await home.call('POST', `/containers/${id}/start`);
    expect(failed.body).toMatchObject({ code: 'bind-source-missing' });
    expect([vm?.running, home.runtime.store.expect(id).state.status]).toEqual([false, 'created']);
    expect(existsSync(join(home.config.home, 'boxes', id, 'changes.ext4'))).toBe(false);
    await home.full();
    expect(home.leftDirectories()).toEqual(
      home.host.running.map(({ spec }) => spec.id.slice(0, 12)),
    );
  });

  const MOUNTING = { HostConfig: { NetworkMode: 'none', Binds: ['/tmp:/mnt'] } };

  function publishing(HostPort: string): Record<string, unknown> {
    const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1', HostPort }] };
    return { HostConfig: { PortBindings } };
  }

  async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  function attachFails(): void {
    for (const vm of home.host.running) {
      vm.attachFailure = new A3sError('vmm-failed', 'no');
    }
  }

  function unlink(path: string | undefined): void {
    if (path !== undefined) rmSync(path);
  }
});
