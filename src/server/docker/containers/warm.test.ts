import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BoxEvent } from '../../../boxes/record/states.ts';
import type { Config } from '../../../config.ts';
import { HOTPLUG_CAPACITY, TEMPLATE_SLOTS } from '../../../engine/engine.ts';
import type { FakeVm } from '../../../engine/testing/fake.ts';
import { A3sError } from '../../../errors.ts';
import { FakeRefusal } from '../../../guest/testing/fake-refusal.ts';
import { TestHome } from '../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../testing/images.ts';
import { FakeTemplates, TEMPLATE_KEY } from '../../testing/templates.ts';

let home: TestHome;
let templates: FakeTemplates;
beforeEach(async () => {
  home = new TestHome();
  await serve();
});
afterEach(() => home.remove());

/** A server with a template. */
async function serve(config: Config = home.config): Promise<void> {
  const rt = await home.startOn(config);
  templates = new FakeTemplates();
  Object.assign(rt, { templates });
}

async function start(id: string): Promise<number> {
  return (await home.call('POST', `/containers/${id}/start`)).status;
}

async function stop(id: string): Promise<void> {
  expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
}

interface Inspected {
  readonly State: { Status: string; Error: string };
  readonly Machine: { Start: string; Source: string } | null;
}

async function inspect(id: string): Promise<Inspected> {
  return (await home.call('GET', `/containers/${id}/json`)).body as Inspected;
}

/** The attributes of all box events of this action so far. */
async function happened(action: string): Promise<Readonly<Record<string, string>>[]> {
  const found: Readonly<Record<string, string>>[] = [];
  const range = { since: 0n, until: BigInt(Date.now() + 1000) * 1_000_000n };
  const done = new AbortController();
  home.runtime.events.publish('container', 'last', '', {});
  for await (const event of home.runtime.events.follow(range, done.signal)) {
    if (event.action === action) found.push(event.attributes);
    if (event.action === 'last') break;
  }
  return found;
}

/** Calls `change` with each microVM from a template before the host connects to it. */
function copies(change: (vm: FakeVm) => void): void {
  const launch = home.host.start.bind(home.host);
  home.host.start = async (spec, signal) => {
    const vm = await launch(spec, signal);
    if (spec.template !== undefined) change(vm);
    return vm;
  };
}

function disks(launch: number) {
  return home.host.launches[launch]?.disks.map(({ path, serial }) => [serial, basename(path)]);
}

const changesOf = (id: string): string => join(home.config.home, 'boxes', id, 'changes.ext4');
const runtimeOf = (id: string): string => join(home.config.runtimeDir, id.slice(0, 12));
/** The maximum number of layers of a microVM from a template: in slots, and hot-plugged. */
const ROOM = TEMPLATE_SLOTS.layers.length + HOTPLUG_CAPACITY.ports * HOTPLUG_CAPACITY.functions;
const WARM = { Start: 'template', Source: TEMPLATE_KEY };
const COLD = { Start: 'cold', Source: '' };

describe('a box with a template', () => {
  it('starts a box from the template, with an identity of its own', async () => {
    const id = await home.create(['sleep', 'infinity']);
    const other = await home.create(['sleep', 'infinity']);
    expect([await start(id), await start(other)]).toEqual([204, 204]);
    expect(home.host.launches[0]?.template?.key).toBe(TEMPLATE_KEY);
    expect(disks(0)).toEqual([
      ['layer-0', 'null'],
      ['changes', 'changes.ext4'],
    ]);
    expect(readFileSync(changesOf(id), 'utf8')).toBe('template');
    const reseeded = home.agents.get(id)?.reseeded;
    expect(reseeded?.machineId.replaceAll('-', '')).toBe(id.slice(0, 32));
    expect(Math.abs(Date.parse(reseeded?.time ?? '') - Date.now())).toBeLessThan(60_000);
    expect(reseeded?.entropy).not.toBe(home.agents.get(other)?.reseeded?.entropy);
    expect(await inspect(id)).toMatchObject({ State: { Status: 'running' }, Machine: WARM });
    expect(templates).toMatchObject({ held: 2, boots: [], drops: [] });
    await stop(id);
    await stop(other);
    expect(templates.held).toBe(0);
    expect((await inspect(id)).Machine).toEqual(WARM);
    const [attributes] = await happened('start');
    expect(attributes).toMatchObject({ machine: 'template', machineSource: TEMPLATE_KEY });
  });

  it('gives a box from a template its mounts in memory, and a disk of the size that it asks for', async () => {
    const HostConfig = {
      ...{ StorageOpt: { size: '64M' }, Tmpfs: { '/run': '' }, ShmSize: 4096, Memory: 2 ** 26 },
      ReadonlyRootfs: true,
    };
    const id = await home.create(['sleep', 'infinity'], { HostConfig });
    await start(id);
    expect((await inspect(id)).Machine).toEqual(WARM);
    expect(disks(0)).toEqual([
      ['layer-0', 'null'],
      ['changes', 'changes.slot'],
      ['changes-kept', 'changes.ext4'],
    ]);
    expect(statSync(changesOf(id)).size).toBe(64 * 2 ** 20);
    const changes = { kind: 'disk', serial: 'changes-kept' };
    expect(home.agents.get(id)?.spec).toMatchObject({
      rootfs: { changes, readonly: true },
      // Half of the box's memory, however much the template has.
      tmpfs: [{ destination: '/run', sizeBytes: 2 ** 25 }],
      shmBytes: 4096,
    });
  });

  it('keeps the writable layer of a box at its next start from a template', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await start(id);
    await stop(id);
    await start(id);
    expect(disks(1)).toEqual([
      ['layer-0', 'null'],
      ['changes', 'changes.slot'],
      ['changes-kept', 'changes.ext4'],
    ]);
    const changes = { kind: 'disk', serial: 'changes-kept' };
    expect(home.agents.get(id)?.spec?.rootfs).toMatchObject({ changes });
    expect(templates.written.map((path) => basename(path))).toEqual([
      ...['changes.ext4.new', 'changes.slot'],
    ]);
    expect(existsSync(join(runtimeOf(id), 'changes.slot'))).toBe(false);
    expect((await inspect(id)).Machine).toEqual(WARM);
  });

  it('starts a box from a template although it has booted before', async () => {
    templates.there = false;
    const id = await home.create(['sleep', 'infinity']);
    await start(id);
    await stop(id);
    templates.there = true;
    await start(id);
    expect(disks(1)?.map(([serial]) => serial)).toEqual(['layer-0', 'changes', 'changes-kept']);
  });

  it('retries with another port and the same disk when a port is taken', async () => {
    const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1' }] };
    const id = await home.create(['sleep', 'infinity'], { HostConfig: { PortBindings } });
    home.host.failNextLaunch(new A3sError('port-in-use', 'taken'));
    expect(await start(id)).toBe(204);
    expect(home.host.launches.map(({ template }) => template?.key)).toEqual([
      ...[TEMPLATE_KEY, TEMPLATE_KEY],
    ]);
    expect(templates).toMatchObject({ held: 1, drops: [] });
    expect(templates.written).toHaveLength(1);
  });

  it('reports a missing program in a box from a template as in any other box', async () => {
    const id = await home.create(['no-such-program']);
    expect(await start(id)).toBe(400);
    expect(home.host.launches).toHaveLength(1);
    expect(templates).toMatchObject({ held: 0, drops: [] });
    expect(home.host.running).toEqual([]);
  });

  it('refuses to start from a template on a full disk, and leaves no partial files', async () => {
    templates.failure = new A3sError('disk-full', 'no space');
    const id = await home.create(['true']);
    expect((await home.call('POST', `/containers/${id}/start`)).body).toMatchObject({
      code: 'disk-full',
    });
    expect(templates).toMatchObject({ held: 0, drops: [] });
    expect(home.host.launches).toEqual([]);
    expect(readdirSync(join(home.config.home, 'boxes', id))).toEqual(['output.log']);
  });

  it('does not use a template for a box that is refused', async () => {
    home.trust.rules = [];
    const id = await home.create(['true']).catch(() => undefined);
    expect(id).toBeUndefined();
    expect(templates).toMatchObject({ held: 0, written: [] });
  });
});

describe('a box without a template', () => {
  it('boots a box without a template, and shows that it did', async () => {
    templates.there = false;
    const id = await home.create(['sleep', 'infinity'], { HostConfig: { NanoCpus: 1e9 } });
    await start(id);
    expect(home.host.launches[0]?.template).toBeUndefined();
    expect((await inspect(id)).Machine).toEqual(COLD);
    expect(templates.boots).toMatchObject([{ cpus: 1 }]);
    const [attributes] = await happened('start');
    expect(attributes).toMatchObject({ machine: 'cold' });
  });

  it('makes no template after a start that fails', async () => {
    templates.there = false;
    const id = await home.create(['no-such-program']);
    await start(id);
    expect(templates.boots).toEqual([]);
    expect((await inspect(await home.create(['true']))).Machine).toBeNull();
  });

  it('boots a box with more layers than a template has slots', async () => {
    await home.remove();
    const layers = Array.from({ length: ROOM + 1 }, (_, n) => ({
      diffId: `sha256:${n}`,
      path: '/dev/null',
    }));
    const images = new (class extends FakeImages {
      override async bootLayers() {
        return layers as Awaited<ReturnType<FakeImages['bootLayers']>>;
      }
    })(TEST_IMAGE);
    home = new TestHome(images);
    await serve();
    const many = await home.create(['sleep', 'infinity']);
    await start(many);
    expect((await inspect(many)).Machine).toEqual(COLD);
    expect(templates).toMatchObject({ held: 0, boots: [] });
    layers.length = ROOM;
    const fewer = await home.create(['sleep', 'infinity']);
    await start(fewer);
    expect((await inspect(fewer)).Machine).toEqual(WARM);
  });
});

describe('an unusable template', () => {
  /** Expects a booted box, and a record of why it did not start from the template. */
  async function bootedAfterAll(id: string, reason: RegExp): Promise<void> {
    expect(await inspect(id)).toMatchObject({ State: { Status: 'running' }, Machine: COLD });
    expect(home.host.launches.map(({ template }) => template?.key)).toEqual([
      ...[TEMPLATE_KEY, undefined],
    ]);
    expect(home.host.running).toHaveLength(1);
    expect(templates.drops).toEqual([expect.stringMatching(reason)]);
    expect(templates).toMatchObject({ held: 0, boots: [{ cpus: 1 }] });
    expect(await happened('template-failed')).toMatchObject([
      { template: TEMPLATE_KEY, reason: expect.stringMatching(reason) },
    ]);
    // The disk is a new one of the box, not a copy of the template's.
    expect(statSync(changesOf(id)).size).toBeGreaterThan('template'.length);
    const log = readFileSync(join(home.config.home, 'server.log'), 'utf8');
    expect(log).toMatch(/could not start from its template/);
  }

  it.each(['template-unusable', 'vmm-failed'] as const)(
    'drops a template when its start fails with %s, and boots the box',
    async (code) => {
      home.host.failNextLaunch(new A3sError(code, 'cannot be restored'));
      const id = await home.create(['sleep', 'infinity']);
      expect(await start(id)).toBe(204);
      await bootedAfterAll(id, /cannot be restored/);
    },
  );

  it('drops a template when its guest does not answer', async () => {
    await home.stop();
    await serve({ ...home.config, startTimeoutMs: 500 });
    copies((vm) => {
      vm.silent = true;
    });
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    await bootedAfterAll(id, /Cannot resume a copy/);
  });

  it('drops a template when its guest is not paused', async () => {
    home.agentOptions = { paused: false };
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    await bootedAfterAll(id, /Cannot resume a copy.*never prepared/);
  });

  it('drops a template when its guest speaks an unsupported protocol', async () => {
    templates.protocol = 99;
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    await bootedAfterAll(id, /Cannot resume a copy.*protocol 99/);
  });

  it('drops a template when its microVM ends while it resumes', async () => {
    copies((vm) => vm.crash());
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    await bootedAfterAll(id, /Cannot resume a copy/);
  });

  it('keeps the writable layer of a box when its template is dropped', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await start(id);
    await stop(id);
    home.host.failNextLaunch(new A3sError('template-unusable', 'cannot be restored'));
    await start(id);
    expect(disks(2)).toEqual([
      ['layer-0', 'null'],
      ['changes', 'changes.ext4'],
    ]);
    expect(readFileSync(changesOf(id), 'utf8')).toBe('template');
    expect((await inspect(id)).Machine).toEqual(COLD);
  });

  it('does not drop a template for a box that would not start anyway', async () => {
    home.agentOptions = { refuseSpec: new FakeRefusal('setup-failed', 'no such mount point') };
    const id = await home.create(['true']);
    expect(await start(id)).toBe(500);
    expect(home.host.launches).toHaveLength(2);
    expect(templates).toMatchObject({ held: 0, drops: [], boots: [] });
    expect(await inspect(id)).toMatchObject({
      State: { Status: 'created', Error: expect.stringMatching(/no such mount point/) },
    });
    expect(home.host.running).toEqual([]);
  });

  it('keeps a template, and boots the box, when there is no room to copy its memory', async () => {
    home.host.failNextLaunch(new A3sError('out-of-memory', '/dev/shm is full'));
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    expect((await inspect(id)).Machine).toEqual(COLD);
    expect(templates).toMatchObject({ held: 0, drops: [] });
    expect(await happened('template-failed')).toMatchObject([{ reason: '/dev/shm is full' }]);
  });

  it('keeps a template, and refuses the start, when the host is short of memory', async () => {
    const launch = home.host.start.bind(home.host);
    home.host.start = async (spec, signal) => {
      home.host.failNextLaunch(new A3sError('out-of-memory', 'too little'));
      return await launch(spec, signal);
    };
    const id = await home.create(['true']);
    expect(await start(id)).toBe(500);
    expect(templates).toMatchObject({ held: 0, drops: [], boots: [] });
    expect(home.host.running).toEqual([]);
  });
});

describe('a server that dies while a box starts from a template', () => {
  /** Waits until a start has been undone, for which there is no event: the box is shown as created before. */
  async function nothingRuns(id: string): Promise<void> {
    await expect.poll(() => home.host.running, { timeout: 10_000 }).toEqual([]);
    const { home: directory, runtimeDir } = home.config;
    await expect.poll(() => readdirSync(runtimeDir), { timeout: 10_000 }).toEqual(['server.sock']);
    expect(readdirSync(join(directory, 'boxes'))).toEqual([id]);
  }

  async function restart(): Promise<void> {
    await serve();
  }

  async function untilStatus(id: string, status: string): Promise<void> {
    await expect
      .poll(async () => (await inspect(id)).State.Status, { timeout: 10_000 })
      .toBe(status);
  }

  it.each([
    ['start', 'after', 'created'],
    ['started', 'before', 'running'],
    ['started', 'after', 'running'],
  ] as const)(
    'restores the state of a starting box when the server dies at %s (%s): %s',
    async (event, when, expected) => {
      const id = await home.create(['sleep', 'infinity']);
      const died = dieAt(event, when);
      void home.call('POST', `/containers/${id}/start`).catch(() => undefined);
      await died;
      await restart();
      await untilStatus(id, expected);
      if (expected === 'created') await nothingRuns(id);
      else expect((await inspect(id)).Machine).toEqual(WARM);
    },
  );

  it('ends a copy of a template that was not resumed before the server died', async () => {
    let launched: (vm: FakeVm) => void = () => undefined;
    const there = new Promise<FakeVm>((resolve) => {
      launched = resolve;
    });
    let copied = 0;
    copies((vm) => {
      copied += 1;
      vm.silent = copied === 1;
      launched(vm);
    });
    const id = await home.create(['sleep', 'infinity']);
    void home.call('POST', `/containers/${id}/start`).catch(() => undefined);
    const vm = await there;
    expect(home.runtime.store.expect(id).state.machine).toMatchObject({
      ...{ id, start: 'template', source: TEMPLATE_KEY },
    });
    await home.crash();
    vm.silent = false;
    await restart();
    await untilStatus(id, 'created');
    await nothingRuns(id);
    expect(await start(id)).toBe(204);
    expect((await inspect(id)).Machine).toEqual(WARM);
  });

  it('ends a microVM that was being launched from a template when the server died', async () => {
    const id = await home.create(['sleep', 'infinity']);
    const open = home.host.holdLaunches();
    void home.call('POST', `/containers/${id}/start`).catch(() => undefined);
    await expect.poll(() => home.host.launches.length).toBe(1);
    const died = home.crash();
    open();
    await died;
    const [spec] = home.host.launches;
    if (spec === undefined) throw new Error('nothing was launched');
    await home.host.start(spec, new AbortController().signal);
    await restart();
    await untilStatus(id, 'created');
    await nothingRuns(id);
  });

  it('undoes a start from a template, and releases the template, when the server stops', async () => {
    const id = await home.create(['sleep', 'infinity']);
    const open = home.host.holdLaunches();
    void home.call('POST', `/containers/${id}/start`).catch(() => undefined);
    await expect.poll(() => home.host.launches.length).toBe(1);
    const stopping = home.stop();
    open();
    await stopping;
    expect(templates).toMatchObject({ held: 0, drops: [] });
    expect(home.host.running).toEqual([]);
    await restart();
    await untilStatus(id, 'created');
  });

  it('releases the templates of running boxes when the server stops', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await start(id);
    expect(templates.held).toBe(1);
    await home.stop();
    expect(templates.held).toBe(0);
    await restart();
    await untilStatus(id, 'running');
    expect(home.runtime.store.expect(id).state.machine?.source).toBe(TEMPLATE_KEY);
  });

  /** The server dies before or after the next `event` is recorded. */
  function dieAt(event: BoxEvent, when: 'before' | 'after'): Promise<void> {
    const { store } = home.runtime;
    return new Promise((died) => {
      const advance = store.advance.bind(store);
      store.advance = (id, step, change) => {
        if (step !== event) return advance(id, step, change);
        if (when === 'after') advance(id, step, change);
        died(home.crash());
        throw new Error('the server is dead');
      };
    });
  }
});

describe('a microVM with an id of its own', () => {
  const OWN = 'd'.repeat(64);

  it('finds, sweeps and cleans up a microVM by its own id', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await start(id);
    const { identity } = home.runtime.store.expect(id).definition;
    home.runtime.store.amend(id, { machine: { id: OWN, identity, start: 'pool' } });
    const spec = home.host.launches[0];
    if (spec === undefined) throw new Error('nothing was launched');
    const agentOf = home.agents.get(id);
    await home.crash();
    home.host.vm(id)?.killed();
    agentOf?.kill();
    const vm = await home.host.start(
      { ...spec, id: OWN, runtimeDir: runtimeOf(OWN) },
      new AbortController().signal,
    );
    vm.hung = true;
    home.adoption = { attempts: 1, pauseMs: 1, serveAfterMs: 1000 };
    await serve();
    await expect.poll(async () => (await inspect(id)).State.Status).toBe('exited');
    expect(home.host.sweeps).toContain(OWN);
    expect(vm.running).toBe(false);
  });
});
