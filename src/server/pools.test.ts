import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import { FakeRefusal } from '../guest/fake-refusal.ts';
import { TestHome } from './testing/home.ts';
import { PoolTemplates } from './testing/pools.ts';
import { TEMPLATE_KEY } from './testing/templates.ts';

let home: TestHome;
let templates: PoolTemplates;
beforeEach(async () => {
  home = new TestHome();
  await serve();
});
afterEach(() => home.remove());

/** A server with a template. */
async function serve(): Promise<void> {
  const rt = await home.start();
  templates = new PoolTemplates();
  Object.assign(rt, { templates });
}

const NONE = { HostConfig: { NetworkMode: 'none' } };

interface Summary {
  readonly name: string;
  readonly size: number;
  readonly ready: number;
  readonly state: string;
  readonly error: string;
}

async function set(size: number, more: Record<string, unknown> = {}, name = 'default') {
  return await home.call('PUT', `/a3s/v1/pools/${name}`, { size, network: 'none', ...more });
}

async function full(name = 'default'): Promise<Summary> {
  const { status, body } = await home.call('POST', `/a3s/v1/pools/${name}/wait`);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body as Summary;
}

async function pool(name = 'default'): Promise<Summary> {
  return (await home.call('GET', `/a3s/v1/pools/${name}`)).body as Summary;
}

/** A full pool. */
async function filled(size: number, more: Record<string, unknown> = {}): Promise<void> {
  expect((await set(size, more)).status).toBe(200);
  await full();
}

async function start(id: string): Promise<number> {
  return (await home.call('POST', `/containers/${id}/start`)).status;
}

async function machineOf(id: string): Promise<string> {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  return (body as { Machine: { Start: string } | null }).Machine?.Start ?? 'none';
}

/** Waits for a thing of the background. */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(done, { timeout: 10_000, interval: 5 }).toBe(true);
}

/** What happened to pools, or to boxes, so far. */
async function happened(type: string): Promise<readonly string[]> {
  const found: string[] = [];
  const range = { since: 0n, until: BigInt(Date.now() + 1000) * 1_000_000n };
  home.runtime.events.publish('container', 'last', '', {});
  for await (const event of home.runtime.events.follow(range, new AbortController().signal)) {
    if (event.action === 'last') break;
    if (event.type === type) found.push(event.action);
  }
  return found;
}

const leftDirectories = (): string[] =>
  readdirSync(home.config.runtimeDir).filter((name) => /^[0-9a-f]{12}$/.test(name));
const poolDisks = (): string[] => readdirSync(join(home.config.home, 'pools'));

describe('a pool', () => {
  it('serves a box with limits of the host, which its machine is held to before the box runs', async () => {
    await filled(1);
    const limits = { CpusetCpus: '0', CpuShares: 512 };
    const id = await home.create(['sleep', 'infinity'], {
      HostConfig: { NetworkMode: 'none', ...limits },
    });
    expect(await start(id)).toBe(204);
    expect(await machineOf(id)).toBe('pool');
    const machine = home.runtime.store.expect(id).state.machine?.id ?? '';
    expect(home.host.machine(machine)?.limits).toMatchObject([{ processors: [0], nice: 3 }]);
  });

  it('is filled in the background with machines that have rehearsed and stand still', async () => {
    await filled(2);
    expect(await pool()).toMatchObject({ size: 2, ready: 2, state: 'full', error: '' });
    expect(home.host.running).toHaveLength(2);
    for (const machine of home.host.running) {
      expect(machine.paused).toBe(true);
      expect(machine.spec.template?.key).toBe(TEMPLATE_KEY);
      const agent = home.agents.get(machine.spec.id);
      expect(agent?.rehearsed?.process.args).toEqual(['true']);
      expect(agent?.woken).toBeUndefined();
    }
    const uids = home.host.running.map(({ spec }) => spec.identity.uid);
    if (process.geteuid?.() === 0) expect(new Set(uids).size).toBe(2);
    expect(await happened('pool')).toEqual(['create', 'fill', 'fill']);
  });

  it('gives one to a box, and gets another one', async () => {
    await filled(1);
    const [machine] = home.host.running;
    const machineId = machine?.spec.id ?? '';
    const id = await home.create(['sleep', 'infinity'], NONE);
    expect(await start(id)).toBe(204);
    expect(await machineOf(id)).toBe('pool');
    expect(machine?.paused).toBe(false);
    expect(machine?.inserted.map(({ path, serial }) => [basename(path), serial])).toEqual([
      ['rehearsal.erofs', 'layer-6'],
      ['null', 'layer-0'],
    ]);
    const agent = home.agents.get(machineId);
    expect(agent?.woken?.machineId.replaceAll('-', '')).toBe(machineId.slice(0, 32));
    expect(agent?.spec?.hostname).toBe(id.slice(0, 12));
    const disk = join(home.config.home, 'boxes', id, 'changes.ext4');
    expect(readFileSync(disk, 'utf8')).toBe('template');
    await full();
    expect(home.host.running).toHaveLength(2);
    expect(poolDisks()).toHaveLength(1);
    expect(await happened('pool')).toEqual(['create', 'fill', 'take', 'fill']);
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(machine?.running).toBe(false);
    expect(existsSync(join(home.config.runtimeDir, machineId.slice(0, 12)))).toBe(false);
    // Its disk has been used: it comes from the template the next time.
    expect(await start(id)).toBe(204);
    expect(await machineOf(id)).toBe('template');
    expect(await pool()).toMatchObject({ ready: 1 });
  });

  it('serves each of two boxes that start at once with a machine of its own', async () => {
    await filled(2);
    const ids = [await home.create(['true'], NONE), await home.create(['true'], NONE)];
    expect(await Promise.all(ids.map(start))).toEqual([204, 204]);
    const machines = ids.map((id) => home.runtime.store.expect(id).state.machine?.id);
    expect(new Set(machines).size).toBe(2);
    expect(await Promise.all(ids.map(machineOf))).toEqual(['pool', 'pool']);
    const entropies = machines.map((id) => home.agents.get(id ?? '')?.woken?.entropy);
    expect(new Set(entropies).size).toBe(2);
  });

  it('is passed by where it has none ready, and says so', async () => {
    await filled(1);
    const first = await home.create(['sleep', 'infinity'], NONE);
    const open = home.host.holdLaunches();
    await start(first);
    const second = await home.create(['sleep', 'infinity'], NONE);
    const started = start(second);
    await until(() => home.host.launches.some(({ id }) => id === second));
    open();
    expect(await started).toBe(204);
    expect(await machineOf(second)).toBe('template');
    expect(await happened('pool')).toContain('miss');
  });

  it.each([
    ['the other network', {}],
    ['more memory', { HostConfig: { NetworkMode: 'none', Memory: 2 ** 30 } }],
    ['a bind mount', { HostConfig: { NetworkMode: 'none', Binds: ['/tmp:/mnt'] } }],
  ])('is nothing for a box with %s', async (_, more) => {
    await filled(1);
    const id = await home.create(['sleep', 'infinity'], more);
    expect(await start(id)).toBe(204);
    expect(await machineOf(id)).toBe('template');
    expect(await pool()).toMatchObject({ ready: 1 });
  });

  it('shrinks, grows, and changes its shape', async () => {
    await filled(2);
    const before = home.host.running.map(({ spec }) => spec.id);
    await filled(1);
    await until(() => home.host.running.length === 1);
    expect(before).toContain(home.host.running[0]?.spec.id);
    await filled(1, { memoryBytes: 2 ** 29 });
    // Who waits does not wait for those that go.
    const large = await home.create(['true'], {
      HostConfig: { NetworkMode: 'none', Memory: 2 ** 29 },
    });
    expect(await start(large)).toBe(204);
    expect(await machineOf(large)).toBe('pool');
    await full();
    await until(() => home.host.running.length === 1 && poolDisks().length === 1);
    expect(before).not.toContain(home.host.running[0]?.spec.id);
    await filled(0);
    await until(() => home.host.running.length === 0 && leftDirectories().length === 0);
    await until(() => poolDisks().length === 0 && templates.held === 0);
  });

  it('is removed with its machines, also while one is made', async () => {
    await filled(1);
    const open = home.host.holdLaunches();
    await set(2);
    await until(() => home.host.launches.length === 2);
    expect((await home.call('DELETE', '/a3s/v1/pools/default')).status).toBe(204);
    open();
    await until(() => home.host.running.length === 0 && poolDisks().length === 0);
    expect((await home.call('GET', '/a3s/v1/pools')).body).toEqual({ pools: [] });
    expect((await home.call('GET', '/a3s/v1/pools/default')).status).toBe(404);
    expect((await home.call('DELETE', '/a3s/v1/pools/default')).status).toBe(404);
    expect(templates.held).toBe(0);
  });

  it('replaces machines that end by themselves', async () => {
    await filled(1);
    const [machine] = home.host.running;
    machine?.crash();
    await until(async () => (await happened('pool')).includes('end'));
    await until(() => leftDirectories().length === 0);
    await set(1);
    await full();
    expect(home.host.running).toHaveLength(1);
    expect(home.host.running[0]).not.toBe(machine);
  });

  it('replaces machines whose template is too old or given up', async () => {
    templates.expiresAt = new Date(Date.now() - 1).toISOString();
    await set(1);
    // Its age is looked at when it is ready: until one has gone for it, the template stays old.
    await until(async () => (await happened('pool')).includes('end'));
    templates.expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    await full();
    await until(() => home.host.running.length === 1);
    const [machine] = home.host.running;
    templates.there = false;
    const id = await home.create(['sleep', 'infinity'], NONE);
    expect(await start(id)).toBe(204);
    expect(await machineOf(id)).toBe('cold');
    await set(1);
    await until(() => machine?.running === false);
    expect(await pool()).toMatchObject({ ready: 0 });
  });
});

describe('a fill that fails', () => {
  it('is told of, leaves nothing, and is tried again later, or when it is asked for', async () => {
    home.host.failNextLaunch(new A3sError('out-of-memory', 'no room'));
    expect((await set(1)).status).toBe(200);
    const waiting = await home.call('POST', '/a3s/v1/pools/default/wait');
    expect(waiting).toMatchObject({ status: 500, body: { code: 'out-of-memory' } });
    expect(await pool()).toMatchObject({ ready: 0, state: 'failing', error: 'no room' });
    expect(await happened('pool')).toEqual(['create', 'fail']);
    expect(home.host.launches).toHaveLength(1);
    expect([...poolDisks(), ...leftDirectories()]).toEqual([]);
    expect(templates.held).toBe(0);
    await filled(1);
    expect(await pool()).toMatchObject({ ready: 1, error: '' });
  });

  it('is so when the guest cannot rehearse', async () => {
    home.agentOptions = { refuseRehearsal: new FakeRefusal('setup-failed', 'no') };
    await set(1);
    await until(async () => (await pool()).state === 'failing');
    expect(home.host.running).toEqual([]);
    expect([...poolDisks(), ...leftDirectories()]).toEqual([]);
  });

  it('drops a template that is no good', async () => {
    home.host.failNextLaunch(new A3sError('template-unusable', 'bad'));
    await set(1);
    await until(() => templates.drops.length === 1);
    expect(templates.drops).toEqual(['bad']);
  });

  it('is so when no template can be made', async () => {
    templates.warmFailure = new A3sError('disk-full', 'no space');
    await set(1);
    await until(async () => (await pool()).error === 'no space');
    expect(home.host.launches).toEqual([]);
  });
});

describe('a start in a machine that is no good', () => {
  it.each([
    ['it takes no layers', () => insertFails()],
    ['its agent is gone', () => home.host.running[0]?.crash()],
    ['its disk is gone', () => home.host.running.map(({ spec }) => unlink(spec.disks[0]?.path))],
  ])('goes on from the template: %s', async (_, spoil) => {
    await filled(1);
    const [machine] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], NONE);
    // Before the pool hears of it.
    const started = start(id);
    spoil();
    expect(await started).toBe(204);
    await until(() => machine?.running === false);
    expect(await machineOf(id)).toMatch(/template/);
    expect(existsSync(join(home.config.runtimeDir, machine?.spec.id.slice(0, 12) ?? ''))).toBe(
      false,
    );
  });

  it('leaves no machine and no disk where the box is to blame', async () => {
    await filled(1);
    const [machine] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], NONE);
    const started = start(id);
    if (machine !== undefined) machine.insertFailure = new A3sError('state-unusable', 'no layer');
    expect(await started).toBe(500);
    expect(machine?.running).toBe(false);
    expect(existsSync(join(home.config.home, 'boxes', id, 'changes.ext4'))).toBe(false);
  });

  function insertFails(): void {
    for (const machine of home.host.running) {
      machine.insertFailure = new A3sError('vmm-failed', 'no');
    }
  }

  function unlink(path: string | undefined): void {
    if (path !== undefined) rmSync(path);
  }
});

describe('what cannot be had', () => {
  it.each([
    ['too many machines', { size: 65 }, 400],
    ['more processors than there are', { size: 1, cpus: 1024 }, 400],
    ['another network', { size: 1, network: 'host' }, 400],
    ['something unknown', { size: 1, binds: 1 }, 400],
  ])('is refused: %s', async (_, body, status) => {
    expect((await home.call('PUT', '/a3s/v1/pools/default', body)).status).toBe(status);
    expect((await home.call('GET', '/a3s/v1/pools')).body).toEqual({ pools: [] });
  });

  it('is a name that is none', async () => {
    expect((await set(1, {}, '%20')).status).toBe(400);
    expect((await set(1, {}, 'x'.repeat(64))).status).toBe(400);
  });

  it('is more than the host has memory for', async () => {
    const memoryBytes = Math.floor(home.runtime.host.memoryBytes / 2);
    const answer = await set(64, { memoryBytes });
    expect(answer).toMatchObject({ status: 500, body: { code: 'out-of-memory' } });
    expect((await home.call('GET', '/a3s/v1/pools')).body).toEqual({ pools: [] });
  });

  it('is a pool without templates', async () => {
    Object.assign(templates, { enabled: false });
    expect(await set(1)).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
  });
});

describe('a server that ends', () => {
  it('drains its pools, and the next one fills them again', async () => {
    await filled(2);
    await home.stop();
    expect(home.host.running).toEqual([]);
    expect(existsSync(join(home.config.home, 'pools'))).toBe(false);
    expect(existsSync(home.config.runtimeDir)).toBe(false);
    expect(templates.held).toBe(0);
    await home.start();
    expect(await pool()).toMatchObject({ size: 2 });
  });

  it('drains them while one is filled and another is taken', async () => {
    await filled(1);
    const id = await home.create(['sleep', 'infinity'], NONE);
    await Promise.all([start(id).catch(() => 0), home.stop()]);
    const { machine } = home.runtime.store.expect(id).state;
    const others = home.host.running.filter(({ spec }) => spec.id !== machine?.id);
    expect(others).toEqual([]);
    await serve();
    await until(() => home.runtime.store.expect(id).state.status !== 'starting');
    expect(['created', 'running']).toContain(home.runtime.store.expect(id).state.status);
  });

  it('killed while a box takes a machine, has the next one undo that start', async () => {
    await filled(1);
    const [machine] = home.host.running;
    const id = await home.create(['sleep', 'infinity'], NONE);
    // It is on record, and its machine was not woken yet.
    home.runtime.store.advance(id, 'start', { run: 1 });
    const { spec } = machine ?? {};
    if (spec === undefined) throw new Error('there is no machine');
    const state = { id: spec.id, identity: spec.identity, start: 'pool' as const };
    home.runtime.store.amend(id, { machine: { ...state, source: TEMPLATE_KEY } });
    // The dead server ends no machine of its pool.
    const kept = home.runtime.pools.close.bind(home.runtime.pools);
    Object.assign(home.runtime.pools, { close: async () => undefined });
    await home.crash();
    await serve();
    await until(() => home.runtime.store.expect(id).state.status === 'created');
    expect(machine?.running).toBe(false);
    await kept();
  });

  it('killed, leaves nothing that the next one does not remove', async () => {
    const left = 'f'.repeat(64);
    await home.stop();
    const disks = join(home.config.home, 'pools', left);
    mkdirSync(disks, { recursive: true });
    writeFileSync(join(disks, 'changes.ext4'), '');
    mkdirSync(join(home.config.runtimeDir, left.slice(0, 12)), { recursive: true });
    await serve();
    expect(home.host.sweeps).toContain(left.slice(0, 12));
    await until(() => poolDisks().length === 0);
    expect(leftDirectories()).toEqual([]);
  });
});
