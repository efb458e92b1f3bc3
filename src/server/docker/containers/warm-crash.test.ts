import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BoxEvent } from '../../../boxes/record/states.ts';
import type { Config } from '../../../config.ts';
import type { FakeVm } from '../../../engine/testing/fake-vm.ts';
import { TestHome } from '../../testing/home.ts';
import { FakeTemplates, TEMPLATE_KEY } from '../../testing/templates.ts';
import { WARM, warmBoxes } from '../../testing/warm-boxes.ts';

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

const { start, inspect, copies } = warmBoxes(() => home);
const runtimeOf = (id: string): string => join(home.config.runtimeDir, id.slice(0, 12));

describe('a server that dies while a box starts from a template', () => {
  /**
   * Waits until a start has been undone, for which there is no event: the box is shown as created
   * before.
   */
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

  it('ends a microVM that was started from a template and not resumed before the server died', async () => {
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
