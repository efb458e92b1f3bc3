import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { A3sError } from '../../errors.ts';
import { recordedDirectory } from '../../snapshots/memory-directory.ts';
import { TestHome } from '../testing/home.ts';
import { PoolTemplates } from '../testing/pools.ts';
import { deny } from '../testing/signed-images.ts';

const RUN = ['sleep', 'infinity'];
let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(async () => {
  const memory = memoryPath();
  await home.remove();
  rmSync(memory, { recursive: true, force: true });
});

const memoryPath = (): string =>
  recordedDirectory({ home: home.config.home, uid: process.geteuid?.() ?? 0 });

async function running(args: readonly string[] = RUN, more = {}): Promise<string> {
  const id = await home.create(args, { HostConfig: { NetworkMode: 'none', ...more } });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}
const snapshot = (box: string, name?: string) =>
  home.call('POST', '/a3s/v1/snapshots', { box, ...(name === undefined ? {} : { name }) });
async function fork(reference: string, body = {}): Promise<string> {
  const made = await home.call('POST', `/a3s/v1/snapshots/${reference}/boxes`, body);
  expect(made).toMatchObject({
    status: 201,
    body: { id: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  return Reflect.get(Object(made.body), 'id');
}
const start = (id: string) => home.call('POST', `/containers/${id}/start`);
const TIMEOUT = { timeout: 20_000 };
/** Counts requests to the box to start a process, from now on. */
function launches(id: string): () => number {
  const agent = home.agents.get(id);
  if (agent === undefined) throw new Error('no agent');
  const answer = vi.spyOn(agent, 'answer');
  return () =>
    answer.mock.calls.filter(([, headers]) => headers[':path'] === '/v1/processes').length;
}
/** Delays the save of memory until the returned function is called. */
function holdSave(id: string): () => void {
  const vm = home.host.vm(id);
  if (vm === undefined) throw new Error('no microVM');
  const save = vm.save.bind(vm);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  vm.save = async (request, signal) => {
    await held;
    return await save(request, signal);
  };
  return release;
}
async function execIn(id: string): Promise<string> {
  const { body } = await home.call('POST', `/containers/${id}/exec`, { Cmd: ['true'] });
  return Reflect.get(Object(body), 'Id');
}
const left = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);
const disks = (): string => join(home.config.home, 'snapshots');

describe('a memory snapshot', () => {
  it('gives forks of a box with a network policy its limits, as another user', async () => {
    Object.assign(home.runtime, { templates: new PoolTemplates() });
    const box = await home.create(RUN, { Egress: { Rules: ['allow:*.example.org'] } });
    expect((await start(box)).status).toBe(204);
    expect((await snapshot(box, 'limited')).status).toBe(201);
    const id = await fork('limited', { ports: [] });
    expect((await start(id)).status).toBe(204);
    const [source, copy] = [box, id].map((each) => home.hostNetworks.attached.get(each));
    expect(copy?.address).toBe(source?.address);
    expect(copy?.egress?.policies).toMatchObject([
      { of: 'box', rules: ['allow:*.example.org:tcp'] },
    ]);
    expect(copy?.egress?.uid).not.toBe(source?.egress?.uid ?? 0);
    const nic = home.host.launches.at(-1)?.nic;
    expect(nic).toMatchObject({ mac: copy?.mac, ports: [], tap: expect.any(Number) });
    expect(copy?.mac).not.toBe(source?.mac);
  });

  it('takes a memory snapshot of a running box, lists it, and removes it without a rest', async () => {
    const box = await running();
    const made = await snapshot(box, 'origin');
    expect(made).toMatchObject({
      status: 201,
      body: { name: 'origin', box: { id: box }, state: 'ready', warnings: [expect.any(String)] },
    });
    expect(home.agents.get(box)?.frozen).toBe(false);
    const { body } = await home.call('GET', '/a3s/v1/snapshots');
    expect(body).toMatchObject({ snapshots: [{ name: 'origin', boxes: [] }] });
    expect([left(memoryPath()).length, left(disks()).length]).toEqual([1, 1]);
    expect((await home.call('DELETE', '/a3s/v1/snapshots/origin')).status).toBe(204);
    expect([left(memoryPath()), left(disks())]).toEqual([[], []]);
    const gone = await home.call('GET', '/a3s/v1/snapshots/origin');
    expect(gone).toMatchObject({ status: 404, body: { code: 'no-such-snapshot' } });
  });

  it('makes an exec wait while a memory snapshot pauses the box', async () => {
    const id = await running();
    const exec = await execIn(id);
    const asked = launches(id);
    const release = holdSave(id);
    const made = snapshot(id);
    await expect.poll(() => home.agents.get(id)?.frozen, TIMEOUT).toBe(true);
    const started = home.call('POST', `/exec/${exec}/start`, { Detach: true });
    await expect.poll(asked, TIMEOUT).toBeGreaterThan(1);
    release();
    expect([(await made).status, (await started).status]).toEqual([201, 200]);
  });

  it('does not mark a box unhealthy while a memory snapshot pauses it', async () => {
    const check = { Test: ['CMD', 'probe'], Interval: 10_000_000, Retries: 1 };
    const none = { HostConfig: { NetworkMode: 'none' } };
    const id = await home.create(RUN, { ...none, Healthcheck: check });
    expect((await start(id)).status).toBe(204);
    const health = () => home.runtime.store.expect(id).state.health?.status;
    await expect.poll(health, TIMEOUT).toBe('healthy');
    const release = holdSave(id);
    const made = snapshot(id);
    await expect.poll(() => home.agents.get(id)?.frozen, TIMEOUT).toBe(true);
    const asked = launches(id);
    await expect.poll(asked, TIMEOUT).toBeGreaterThan(2);
    expect(health()).toBe('healthy');
    release();
    expect((await made).status).toBe(201);
  });

  it('refuses a memory snapshot of a stopped box, of one with bind mounts, or under a used name', async () => {
    const idle = await home.create(RUN);
    expect((await snapshot(idle)).body).toMatchObject({ code: 'box-not-running' });
    const bound = await running(RUN, { Binds: [`${home.config.home}:/host`] });
    expect((await snapshot(bound)).body).toMatchObject({ code: 'unsupported-option' });
    const box = await running();
    await snapshot(box, 'taken');
    expect((await snapshot(box, 'taken')).body).toMatchObject({ code: 'name-in-use' });
    expect((await snapshot(box, '/')).body).toMatchObject({ code: 'invalid-argument' });
    expect(home.agents.get(box)?.frozen).toBe(false);
    expect(left(memoryPath()).length).toBe(1);
  });

  it('leaves the box running and no files when a memory snapshot fails', async () => {
    const box = await running();
    const vm = home.host.vm(box);
    if (vm === undefined) throw new Error('no microVM');
    vm.saveFailure = new A3sError('vmm-failed', 'it could not be saved');
    expect((await snapshot(box)).body).toMatchObject({ code: 'vmm-failed' });
    expect(home.agents.get(box)?.frozen).toBe(false);
    expect([left(memoryPath()), left(disks())]).toEqual([[], []]);
    expect((await home.call('GET', '/a3s/v1/snapshots')).body).toEqual({ snapshots: [] });
  });

  it('refuses a memory snapshot larger than the memory of the box', async () => {
    const box = await running();
    for (const vm of home.host.running) vm.savedBytes = 2 ** 40;
    expect((await snapshot(box)).body).toMatchObject({ code: 'vmm-failed' });
    expect([left(memoryPath()), left(disks())]).toEqual([[], []]);
    expect(home.agents.get(box)?.frozen).toBe(false);
  });

  it('refuses a memory snapshot of a box whose agent does not support it', async () => {
    home.agentOptions = { protocol: { minimum: 1, maximum: 1 } };
    const box = await running();
    expect((await snapshot(box)).body).toMatchObject({
      code: 'agent-failed',
      message: expect.stringContaining('too old'),
    });
    expect([left(memoryPath()), left(disks())]).toEqual([[], []]);
  });

  it('resumes a box, and discards its memory snapshot, after the server died while taking it', async () => {
    const box = await running();
    const { snapshots } = home.runtime;
    const id = 'f'.repeat(64);
    await snapshots.begin(
      {
        ...{ id, name: 'half', kind: 'memory', createdAt: '2026-01-01T00:00:00Z', bootSet: 'set' },
        ...{ box: { id: box, name: 'box', image: 'image' }, definition: {} },
      },
      4096,
    );
    const agent = home.agents.get(box);
    if (agent === undefined) throw new Error('no agent');
    agent.frozen = true;
    expect((await home.call('DELETE', '/a3s/v1/snapshots/half')).body).toMatchObject({
      code: 'conflict',
    });
    const early = await home.call('POST', '/a3s/v1/snapshots/half/boxes', {});
    expect(early.body).toMatchObject({ code: 'conflict' });
    await home.crash();
    await home.start();
    await expect.poll(() => agent.frozen).toBe(false);
    expect((await home.call('GET', '/a3s/v1/snapshots')).body).toEqual({ snapshots: [] });
    expect([left(memoryPath()), left(disks())]).toEqual([[], []]);
  });

  it('refuses snapshots while the record of their memory is damaged, and serves all else', async () => {
    const box = await running();
    await snapshot(box, 'kept');
    const record = join(home.config.home, 'snapshot-memory');
    const name = readFileSync(record, 'utf8');
    const id = 'f'.repeat(64);
    await home.runtime.snapshots.begin(
      {
        ...{ id, name: 'half', kind: 'memory', createdAt: '2026-01-01T00:00:00Z', bootSet: 'set' },
        ...{ box: { id: box, name: 'box', image: 'image' }, definition: {} },
      },
      4096,
    );
    const agent = home.agents.get(box);
    if (agent === undefined) throw new Error('no agent');
    agent.frozen = true;
    await home.crash();
    writeFileSync(record, 'garbled\n');
    await home.start();
    await expect.poll(() => agent.frozen).toBe(false);
    await running();
    const unusable = { body: { code: 'state-unusable' } };
    expect(await home.call('GET', '/a3s/v1/snapshots')).toMatchObject(unusable);
    expect(await home.call('POST', '/a3s/v1/snapshots/kept/boxes', {})).toMatchObject(unusable);
    expect(await home.call('DELETE', '/a3s/v1/snapshots/kept')).toMatchObject(unusable);
    expect(await snapshot(box, 'next')).toMatchObject(unusable);
    expect(readFileSync(join(home.config.home, 'server.log'), 'utf8')).toContain('be swept');
    writeFileSync(record, name);
    await fork('kept');
    await home.crash();
    await home.start();
    expect((await home.call('DELETE', '/a3s/v1/snapshots/kept')).status).toBe(204);
    expect((await home.call('GET', '/a3s/v1/snapshots')).body).toEqual({ snapshots: [] });
    expect([left(memoryPath()), left(disks())]).toEqual([[], []]);
  });

  it('shows a snapshot whose memory is gone, and removes it', async () => {
    await snapshot(await running(), 'lost');
    rmSync(memoryPath(), { recursive: true });
    expect((await home.call('GET', '/a3s/v1/snapshots/lost')).body).toMatchObject({
      state: 'gone',
    });
    const refused = await home.call('POST', '/a3s/v1/snapshots/lost/boxes', {});
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect((await home.call('DELETE', '/a3s/v1/snapshots/lost')).status).toBe(204);
  });
});

describe('prune', () => {
  const prune = async (query = '') =>
    (await home.call('POST', `/a3s/v1/snapshots/prune${query}`)).body;

  it('removes snapshots whose memory is gone, and with all those that no box is from', async () => {
    const box = await running();
    await snapshot(box, 'lost');
    rmSync(memoryPath(), { recursive: true });
    await snapshot(box, 'used');
    await snapshot(box, 'unused');
    await home.call('POST', '/a3s/v1/snapshots', { box, memory: false, name: 'disk' });
    await fork('used');
    const names = async () =>
      (
        (await home.call('GET', '/a3s/v1/snapshots')).body as { snapshots: { name: string }[] }
      ).snapshots
        .map(({ name }) => name)
        .sort();
    expect(await prune()).toEqual({ removed: [expect.any(String)], freedBytes: 0 });
    expect(await names()).toEqual(['disk', 'unused', 'used']);
    expect(await prune('?all=1')).toMatchObject({
      removed: [expect.any(String), expect.any(String)],
    });
    expect(await names()).toEqual(['used']);
    expect(await prune('?all=1')).toEqual({ removed: [], freedBytes: 0 });
  });
});

describe('a fork', () => {
  it('gives a fork its own identity before it runs, and keeps the settings of the source', async () => {
    const source = await running();
    await snapshot(source, 'origin');
    const ids = [await fork('origin', { name: 'one' }), await fork('origin')];
    for (const id of ids) expect((await start(id)).status).toBe(204);
    const given = ids.map((id) => home.agents.get(id)?.forked);
    expect(new Set(given.flatMap((each) => Object.values(Object(each)).slice(0, 4))).size).toBe(8);
    expect(given.map((each) => each?.hostname)).toEqual(ids.map((id) => id.slice(0, 12)));
    for (const id of ids) expect(home.agents.get(id)?.frozen).toBe(false);
    const { body } = await home.call('GET', '/containers/one/json');
    expect(body).toMatchObject({
      ...{ Id: ids[0], Path: 'sleep', State: { Status: 'running' } },
      Machine: { Start: 'snapshot' },
      Config: { Hostname: ids[0]?.slice(0, 12) },
    });
    const uids = home.host.launches.map(({ identity }) => identity.uid);
    expect(process.geteuid?.() === 0 ? new Set(uids).size : uids.length).toBe(3);
  });

  it('gives a fork the options of its source, also at its next start', async () => {
    const options = { CapDrop: ['ALL'], GroupAdd: ['42'], OomScoreAdj: 5, Privileged: false };
    const source = await running(RUN, options);
    const { confinement } = home.agents.get(source)?.spec ?? {};
    expect(confinement).toMatchObject({ capabilities: [], groups: ['42'], oomScoreAdj: 5 });
    await snapshot(source, 'origin');
    const id = await fork('origin');
    expect((await start(id)).status).toBe(204);
    expect((await home.call('GET', `/containers/${id}/json`)).body).toMatchObject({
      HostConfig: options,
    });
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect((await start(id)).status).toBe(204);
    expect(home.agents.get(id)?.spec?.confinement).toEqual(confinement);
  });

  it('gives a fork its own writable layer above the saved disk, and keeps it for the next start', async () => {
    const source = await running();
    await snapshot(source, 'origin');
    const id = await fork('origin');
    await start(id);
    const [disk] = home.host.launches.at(-1)?.disks.filter(({ readonly }) => !readonly) ?? [];
    const directory = join(home.config.home, 'boxes', id);
    expect(disk).toMatchObject({
      path: join(directory, 'changes.1.qcow2'),
      backing: [join(directory, 'changes.ext4')],
    });
    await home.call('DELETE', '/a3s/v1/snapshots/origin');
    await home.call('POST', `/containers/${id}/stop`);
    expect((await start(id)).status).toBe(204);
    const again = home.host.launches.at(-1);
    expect(again?.fork).toBe(undefined);
    expect(again?.disks.at(-1)).toMatchObject({ path: disk?.path, backing: disk?.backing });
  });

  it.each([
    ['that a start which failed has written to', (path: string) => writeFileSync(path, 'written')],
    ['that the server died before it made', (path: string) => rmSync(path)],
  ])('starts a fork with a fresh writable layer in place of one %s', async (_, spoil) => {
    await snapshot(await running(), 'origin');
    const id = await fork('origin');
    const own = join(home.config.home, 'boxes', id, 'changes.1.qcow2');
    spoil(own);
    expect((await start(id)).status).toBe(204);
    const [disk] = home.host.launches.at(-1)?.disks.filter(({ readonly }) => !readonly) ?? [];
    expect(disk?.path).toBe(own);
    expect(statSync(own).nlink).toBe(1);
    expect(readFileSync(own).subarray(0, 3).toString('latin1')).toBe('QFI');
  });

  it('applies the image policy when a fork is created and started', async () => {
    await snapshot(await running(), 'origin');
    const id = await fork('origin');
    home.trust.rules = [deny('**')];
    expect((await start(id)).body).toMatchObject({ code: 'image-untrusted' });
    const refused = await home.call('POST', '/a3s/v1/snapshots/origin/boxes', {});
    expect(refused.body).toMatchObject({ code: 'image-untrusted' });
  });

  it('refuses a fork with ports when the source has no network, and unknown fields', async () => {
    await snapshot(await running(), 'origin');
    const path = '/a3s/v1/snapshots/origin/boxes';
    const port = await home.call('POST', path, { ports: [{ boxPort: 80 }] });
    expect(port.body).toMatchObject({ code: 'invalid-argument' });
    expect((await home.call('POST', path, { image: 'x' })).status).toBe(400);
  });

  it('speaks the newest protocol with the agent of a fork', async () => {
    await snapshot(await running(), 'origin');
    const id = await fork('origin');
    expect((await start(id)).status).toBe(204);
    // `top` needs protocol 4, while copies need only protocol 2.
    expect((await home.call('GET', `/containers/${id}/top`)).status).toBe(200);
  });

  it('undoes the start of a fork when the server ends before the fork has its identity', async () => {
    await snapshot(await running(), 'origin');
    const id = await fork('origin');
    const release = home.host.holdLaunches();
    const starting = start(id).catch(() => undefined);
    await expect.poll(() => home.host.launches.length).toBe(2);
    const died = home.crash();
    release();
    await Promise.all([died, starting]);
    await home.start();
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'created' } });
    expect((await start(id)).status).toBe(204);
  });
});
