import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { A3sError } from '../../errors.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { TestHome } from '../testing/home.ts';

const RUN = ['sleep', 'infinity'];
let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const create = (more = {}): Promise<string> =>
  home.create(RUN, { HostConfig: { NetworkMode: 'none', ...more } });
const start = async (id: string): Promise<void> => {
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
};
const stop = async (id: string): Promise<void> => {
  expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
};
const running = async (more = {}): Promise<string> => {
  const id = await create(more);
  await start(id);
  return id;
};
const snapshot = (box: string, name?: string) =>
  home.call('POST', '/a3s/v1/snapshots', {
    ...{ box, memory: false },
    ...(name === undefined ? {} : { name }),
  });
const restore = (name: string) => home.call('POST', `/a3s/v1/snapshots/${name}/restore`);
const remove = (name: string) => home.call('DELETE', `/a3s/v1/snapshots/${name}`);
const list = async () => (await home.call('GET', '/a3s/v1/snapshots')).body;
const made = async (name: string, body = {}): Promise<string> => {
  const answer = await home.call('POST', `/a3s/v1/snapshots/${name}/boxes`, body);
  expect(answer.status).toBe(201);
  return Reflect.get(Object(answer.body), 'id');
};
const boxFile = (id: string, name = ''): string => join(home.config.home, 'boxes', id, name);
const stored = (): string[] => readdirSync(join(home.config.home, 'snapshots'));
/** Names of the files of the box's disk. */
const chain = (id: string): string[] =>
  readdirSync(boxFile(id))
    .filter((name) => name.startsWith('changes.'))
    .sort();
/** What the box writes to. */
const top = (id: string): string =>
  boxFile(id, chain(id).findLast((name) => name.endsWith('.qcow2')) ?? 'changes.ext4');

describe('a snapshot of the disk of a box', () => {
  it('syncs and pauses a box that runs, and has it write to a layer above what is kept', async () => {
    const box = await running();
    const agent = home.agents.get(box);
    expect(await snapshot(box, 'kept')).toMatchObject({
      status: 201,
      body: { name: 'kept', kind: 'disk', state: 'ready', memoryBytes: 0, warnings: [] },
    });
    expect([agent?.files.synced, agent?.frozen]).toEqual([1, false]);
    expect(home.host.vm(box)?.layers).toEqual([boxFile(box, 'changes.1.qcow2')]);
    expect(home.runtime.store.expect(box).state.status).toBe('running');
    const [id = ''] = stored();
    const base = join(home.config.home, 'snapshots', id, 'changes.ext4');
    expect(statSync(base).ino).toBe(statSync(boxFile(box, 'changes.ext4')).ino);
    expect((await remove('kept')).status).toBe(204);
    expect(stored()).toEqual([]);
  });

  it('leaves a box paused that was paused, and is made of one that does not run', async () => {
    const paused = await running();
    await home.call('POST', `/containers/${paused}/pause`);
    expect((await snapshot(paused)).status).toBe(201);
    expect(home.runtime.store.expect(paused).state.status).toBe('paused');
    const stopped = await running();
    await stop(stopped);
    expect((await snapshot(stopped)).status).toBe(201);
    expect((await snapshot(await create())).status).toBe(201);
    expect(home.host.vm(stopped)?.layers).toEqual([]);
    expect(stored()).toHaveLength(3);
  });

  it('refuses a disk snapshot under a name that is taken', async () => {
    const box = await create();
    await snapshot(box, 'taken');
    expect(await snapshot(box, 'taken')).toMatchObject({ body: { code: 'name-in-use' } });
    expect(stored()).toHaveLength(1);
  });

  it('leaves nothing, and the box running, where the guest or the microVM fails', async () => {
    const box = await running();
    const agent = home.agents.get(box);
    const vm = home.host.vm(box);
    if (agent === undefined || vm === undefined) throw new Error('no microVM');
    agent.files.refusal = new FakeRefusal('conflict', 'its disk has an error');
    expect((await snapshot(box)).status).toBe(409);
    agent.files.refusal = undefined;
    vm.saveFailure = new A3sError('vmm-failed', 'no layer can be put on top');
    expect(await snapshot(box)).toMatchObject({ body: { code: 'vmm-failed' } });
    expect([await list(), stored(), agent.frozen]).toEqual([{ snapshots: [] }, [], false]);
    expect(chain(box)).toEqual(['changes.ext4']);
    vm.saveFailure = undefined;
    expect((await snapshot(box)).status).toBe(201);
  });

  it('leaves nothing of one of a stopped box that cannot be finished', async () => {
    const box = await create();
    const { snapshots } = home.runtime;
    const full = new A3sError('disk-full', 'no space is left');
    vi.spyOn(snapshots, 'finishDisk').mockRejectedValueOnce(full);
    expect(await snapshot(box)).toMatchObject({ body: { code: 'disk-full' } });
    expect([chain(box), stored()]).toEqual([['changes.ext4'], []]);
    expect((await snapshot(box)).status).toBe(201);
  });

  it('refuses a snapshot of a disk with 16 layers, and leaves nothing', async () => {
    const box = await create();
    for (let count = 0; count < 16; count += 1) await snapshot(box, `layer-${count}`);
    const before = chain(box);
    expect(await snapshot(box)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect([chain(box), stored().length]).toEqual([before, 16]);
    expect((await restore('layer-15')).status).toBe(204);
    expect(chain(box)).toHaveLength(17);
    expect((await restore('layer-0')).status).toBe(204);
    expect((await snapshot(box)).status).toBe(201);
  });

  it('refuses a disk snapshot of a box whose agent cannot sync its disk', async () => {
    home.agentOptions = { protocol: { minimum: 1, maximum: 7 } };
    const box = await running();
    expect(await snapshot(box)).toMatchObject({ body: { code: 'agent-failed' } });
    expect(stored()).toEqual([]);
  });

  it('removes a disk snapshot that was not complete when the server died', async () => {
    const box = await running();
    await home.runtime.snapshots.beginDisk({
      ...{ id: 'f'.repeat(64), name: 'half', kind: 'disk', createdAt: '2026-01-01T00:00:00Z' },
      ...{ bootSet: 'set', box: { id: box, name: 'box', image: 'image' }, definition: {} },
    });
    expect(await remove('half')).toMatchObject({ status: 409 });
    expect(await restore('half')).toMatchObject({ status: 409 });
    await home.crash();
    await home.start();
    expect([await list(), stored()]).toEqual([{ snapshots: [] }, []]);
  });
});

describe('a box that gets its disk back', () => {
  /** A stopped box that wrote `later` after the snapshot `then`. */
  async function restorable(): Promise<string> {
    const box = await running();
    await stop(box);
    await snapshot(box, 'then');
    writeFileSync(top(box), 'later');
    return box;
  }

  it('gives a box the files of the snapshot back, below a new layer, and starts it from them', async () => {
    const box = await restorable();
    await snapshot(box, 'now');
    expect(chain(box)).toHaveLength(3);
    expect((await restore('then')).status).toBe(204);
    expect(chain(box)).toEqual(['changes.1.qcow2', 'changes.ext4']);
    expect(readFileSync(boxFile(box, 'changes.1.qcow2')).subarray(0, 3).toString()).toBe('QFI');
    await start(box);
    expect(home.host.launches.at(-1)?.disks.at(-1)).toMatchObject({
      path: boxFile(box, 'changes.1.qcow2'),
      backing: [boxFile(box, 'changes.ext4')],
    });
    await stop(box);
    expect((await restore('now')).status).toBe(204);
    expect(readFileSync(boxFile(box, 'changes.1.qcow2'), 'utf8')).toBe('later');
  });

  it('refuses to give a disk back to a running or missing box, and from a memory snapshot', async () => {
    const box = await running();
    await snapshot(box, 'then');
    expect(await restore('then')).toMatchObject({ status: 409, body: { code: 'conflict' } });
    await home.call('POST', '/a3s/v1/snapshots', { box, name: 'memory' });
    expect(await restore('memory')).toMatchObject({ status: 409, body: { code: 'conflict' } });
    await home.call('DELETE', `/containers/${box}?force=true`);
    expect(await restore('then')).toMatchObject({ status: 404, body: { code: 'no-such-box' } });
    expect(await restore('none')).toMatchObject({ body: { code: 'no-such-snapshot' } });
    for (const name of ['then', 'memory']) expect((await remove(name)).status).toBe(204);
  });

  it('leaves a box its old disk where the server died before the new one was complete', async () => {
    const box = await restorable();
    const before = chain(box);
    mkdirSync(boxFile(box, 'restored.new'));
    writeFileSync(boxFile(box, 'restored.new/changes.ext4'), 'half');
    await home.crash();
    await home.start();
    await start(box);
    expect([chain(box), existsSync(boxFile(box, 'restored.new'))]).toEqual([before, false]);
    expect(readFileSync(top(box), 'utf8')).toBe('later');
  });

  it.each([0, 1, 2])(
    'gives a box its new disk where the server died after %i files had taken their places',
    async (count) => {
      const box = await restorable();
      const [old = '', base = ''] = chain(box);
      mkdirSync(boxFile(box, 'restored'));
      const names = [base, 'changes.7.qcow2'];
      for (const name of names) writeFileSync(boxFile(box, `restored/${name}`), `new ${name}`);
      for (const name of names.slice(0, count)) writeFileSync(boxFile(box, name), `new ${name}`);
      await home.crash();
      await home.start();
      await start(box);
      expect(chain(box)).toEqual(names.sort());
      for (const name of names)
        expect(readFileSync(boxFile(box, name), 'utf8')).toBe(`new ${name}`);
      expect([existsSync(boxFile(box, 'restored')), existsSync(boxFile(box, old))]).toEqual([
        ...[false, false],
      ]);
    },
  );

  it('keeps its disk when it has never run and the server starts anew', async () => {
    const box = await create();
    await snapshot(box, 'then');
    expect((await restore('then')).status).toBe(204);
    await home.crash();
    await home.start();
    expect(chain(box)).toEqual(['changes.1.qcow2', 'changes.ext4']);
  });
});

describe('a box that is made from the disk of a snapshot', () => {
  it('boots on that disk, with a name, an identity and ports of its own', async () => {
    const source = await running();
    await snapshot(source, 'origin');
    const id = await made('origin', { name: 'one' });
    await home.crash();
    await home.start();
    expect((await remove('origin')).status).toBe(204);
    await start(id);
    const launch = home.host.launches.at(-1);
    expect(launch?.fork).toBe(undefined);
    expect(launch?.disks.at(-1)).toMatchObject({
      path: boxFile(id, 'changes.1.qcow2'),
      backing: [boxFile(id, 'changes.ext4')],
    });
    expect((await home.call('GET', '/containers/one/json')).body).toMatchObject({
      ...{ Id: id, Path: 'sleep', Config: { Hostname: id.slice(0, 12) } },
    });
  });

  it('mounts the named volumes of its source, and has anonymous ones of its own', async () => {
    const source = await create({ Binds: ['data:/data', '/own'] });
    await snapshot(source, 'origin');
    const mounts = (id: string) => home.runtime.store.expect(id).definition.volumeMounts;
    const id = await made('origin', { autoRemove: true });
    const [data, own] = mounts(id);
    expect(data).toEqual(mounts(source)[0]);
    expect(own).toMatchObject({ anonymous: true, destination: '/own' });
    expect(own?.name).not.toBe(mounts(source)[1]?.name);
    await home.call('DELETE', `/containers/${id}?v=true`);
    const { body } = await home.call('GET', '/volumes');
    expect(Reflect.get(Object(body), 'Volumes')).toHaveLength(2);
  });

  it('starts a box made from a disk snapshot only when it has that disk', async () => {
    const source = await create({ Binds: ['data:/data'] });
    await snapshot(source, 'origin');
    const { volumes, store } = home.runtime;
    const make = volumes.create.bind(volumes);
    let started: Promise<{ status: number }> | undefined;
    vi.spyOn(volumes, 'create').mockImplementation(async (request) => {
      if (store.byName('one') !== undefined) {
        started = home.call('POST', '/containers/one/start');
        await Promise.race([started, delay(300)]);
      }
      return await make(request);
    });
    const id = await made('origin', { name: 'one' });
    expect(await started).toMatchObject({ status: 204 });
    expect(home.host.launches.at(-1)?.disks.at(-1)).toMatchObject({
      path: boxFile(id, 'changes.1.qcow2'),
      backing: [boxFile(id, 'changes.ext4')],
    });
  });

  it('removes a box that had not got the disk of its snapshot when the server died', async () => {
    const source = await create();
    await snapshot(source, 'origin');
    const { store } = home.runtime;
    const insert = store.insert.bind(store);
    let recorded: unknown;
    vi.spyOn(store, 'insert').mockImplementation((...given) => {
      const box = insert(...given);
      recorded = given;
      return box;
    });
    const whole = await made('origin', { name: 'whole' });
    const [definition, , state] = recorded as Parameters<typeof insert>;
    const id = 'e'.repeat(64);
    insert({ ...definition, id }, 'half', state);
    mkdirSync(boxFile(id));
    writeFileSync(boxFile(id, 'changes.ext4'), 'half');
    await home.crash();
    await home.start();
    expect(home.runtime.store.list().map((box) => box.definition.id)).toEqual([source, whole]);
    expect([existsSync(boxFile(id)), chain(whole).length]).toEqual([false, 2]);
  });

  it('refuses a box from a disk snapshot where a named volume of its source is gone', async () => {
    const source = await create({ Binds: ['data:/data'] });
    await snapshot(source, 'origin');
    await home.call('DELETE', `/containers/${source}`);
    await home.call('DELETE', '/volumes/data');
    expect(await home.call('POST', '/a3s/v1/snapshots/origin/boxes', {})).toMatchObject({
      ...{
        status: 404,
        body: { code: 'no-such-volume', message: expect.stringContaining('data') },
      },
    });
    expect(home.runtime.volumes.list()).toEqual([]);
  });

  it('says how long the box of the snapshot was paused', async () => {
    const box = await running();
    const { snapshots } = home.runtime;
    const finish = snapshots.finishDisk.bind(snapshots);
    vi.spyOn(snapshots, 'finishDisk').mockImplementation(async (...given) => {
      await delay(50);
      return await finish(...given);
    });
    const { body } = await snapshot(box);
    expect(Reflect.get(Object(body), 'pausedMs')).toBeGreaterThanOrEqual(49);
  });
});
