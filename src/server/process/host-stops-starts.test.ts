import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';
import { FakeTemplates } from '../testing/templates.ts';

let home: TestHome;
let templates: FakeTemplates;
beforeEach(async () => {
  home = new TestHome();
  home.hostStops = true;
  templates = new FakeTemplates();
  templates.there = false;
  Object.assign(await home.start(), { templates });
});
afterEach(() => home.remove());

/** A box that delays the shutdown: its main process ends only by SIGKILL. */
async function stubborn(): Promise<string> {
  const id = await home.create(['stubborn'], { StopTimeout: 2 });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const always = { HostConfig: { RestartPolicy: { Name: 'always' } } };
const state = (id: string) => home.runtime.store.expect(id).state;

it('undoes a pending start when the host shuts down, and drops no template for it', async () => {
  await stubborn();
  const id = await home.create(['sleep', 'infinity'], always);
  templates.there = true;
  const launch = home.host.start.bind(home.host);
  const silent = new Promise<void>((resolve) => {
    home.host.start = async (spec, signal) => {
      const vm = await launch(spec, signal);
      vm.silent = true;
      resolve();
      return vm;
    };
  });
  const starting = home.call('POST', `/containers/${id}/start`);
  await silent;
  await expect.poll(() => home.runtime.running.get(id)).toBeDefined();
  const stopped = home.stop();
  expect((await starting).status).toBe(500);
  await stopped;
  expect(templates).toMatchObject({ held: 0, drops: [], boots: [{}] });
  expect(home.host.launches).toHaveLength(2);
  expect(home.host.running).toEqual([]);
  await home.start();
  expect(state(id).status).toBe('created');
});

it('ends the microVM of a start that is launched during the shutdown of the host', async () => {
  await stubborn();
  const id = await home.create(['sleep', 'infinity'], always);
  const launch = home.host.start.bind(home.host);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const asked = new Promise<void>((resolve) => {
    home.host.start = async (spec, signal) => {
      resolve();
      await held;
      return await launch(spec, signal);
    };
  });
  const starting = home.call('POST', `/containers/${id}/start`);
  await asked;
  const stopped = home.stop();
  await expect.poll(() => home.runtime.restarts.held).toBe(true);
  release();
  // The microVM ended before the host connected to its guest.
  expect((await starting).status).toBe(409);
  await stopped;
  expect(home.host.running).toEqual([]);
});

it('refuses to start a box while the host shuts down', async () => {
  await stubborn();
  const id = await home.create(['sleep', 'infinity']);
  const stopped = home.stop();
  await expect.poll(() => home.runtime.restarts.held).toBe(true);
  const refused = await home.call('POST', `/containers/${id}/start`);
  expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect(refused.body).toMatchObject({ message: expect.stringContaining('the host goes down') });
  await stopped;
  expect(home.host.launches).toHaveLength(1);
  expect(home.host.running).toEqual([]);
});

it('refuses to restart a box while the host shuts down, and keeps its policy', async () => {
  const id = await stubborn();
  const stopped = home.stop();
  await expect.poll(() => home.runtime.restarts.held).toBe(true);
  const refused = await home.call('POST', `/containers/${id}/restart`);
  expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect(state(id).stopRequested).toBe(false);
  await stopped;
});
