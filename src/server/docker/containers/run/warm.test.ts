import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../../config.ts';
import { HOTPLUG_CAPACITY, TEMPLATE_SLOTS } from '../../../../engine/vm/slots.ts';
import { A3sError } from '../../../../errors.ts';
import { TestHome } from '../../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../../testing/images.ts';
import { FakeTemplates, TEMPLATE_KEY } from '../../../testing/templates.ts';
import { COLD, WARM, warmBoxes } from '../../../testing/warm-boxes.ts';

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

const { start, stop, inspect, happened, writableLayerOf } = warmBoxes(() => home);

function disks(launch: number) {
  return home.host.launches[launch]?.disks.map(({ path, serial }) => [serial, basename(path)]);
}

const runtimeOf = (id: string): string => join(home.config.runtimeDir, id.slice(0, 12));

/** The maximum number of layers of a microVM from a template: in slots, and hot-plugged. */
const ROOM = TEMPLATE_SLOTS.layers.length + HOTPLUG_CAPACITY.ports * HOTPLUG_CAPACITY.functions;

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
    expect(readFileSync(writableLayerOf(id), 'utf8')).toBe('template');
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
    expect(statSync(writableLayerOf(id)).size).toBe(64 * 2 ** 20);
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
