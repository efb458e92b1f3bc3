import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../config.ts';
import { A3sError } from '../../../errors.ts';
import { FakeRefusal } from '../../../guest/testing/fake-refusal.ts';
import { TestHome } from '../../testing/home.ts';
import { FakeTemplates, TEMPLATE_KEY } from '../../testing/templates.ts';
import { COLD, warmBoxes } from '../../testing/warm-boxes.ts';

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

const { start, stop, inspect, happened, copies, writableLayerOf } = warmBoxes(() => home);

function disks(launch: number) {
  return home.host.launches[launch]?.disks.map(({ path, serial }) => [serial, basename(path)]);
}

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
    expect(statSync(writableLayerOf(id)).size).toBeGreaterThan('template'.length);
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
    await bootedAfterAll(id, /Cannot resume the template's microVM/);
  });

  it('drops a template when its guest is not paused', async () => {
    home.agentOptions = { paused: false };
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    await bootedAfterAll(id, /Cannot resume the template's microVM.*never prepared/);
  });

  it('drops a template when its guest speaks an unsupported protocol', async () => {
    templates.protocol = 99;
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    await bootedAfterAll(id, /Cannot resume the template's microVM.*protocol 99/);
  });

  it('drops a template when its microVM ends while it resumes', async () => {
    copies((vm) => vm.crash());
    const id = await home.create(['sleep', 'infinity']);
    expect(await start(id)).toBe(204);
    await bootedAfterAll(id, /Cannot resume the template's microVM/);
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
    expect(readFileSync(writableLayerOf(id), 'utf8')).toBe('template');
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
