import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  home.hostStops = true;
  await home.start();
});
afterEach(() => home.remove());

async function run(policy: string, more = {}): Promise<string> {
  const id = await home.create(['sleep', 'infinity'], {
    HostConfig: { RestartPolicy: { Name: policy }, ...more },
  });
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const state = (id: string) => home.runtime.store.expect(id).state;

it('stops boxes with the host by their stop signals, and starts them again by their policies', async () => {
  const plain = await run('no');
  const ids = [await run('always'), await run('unless-stopped'), await run('on-failure')];
  const removed = await run('no', { AutoRemove: true });
  await home.stop();
  expect(home.host.running).toEqual([]);

  home.afterReboot = true;
  await home.start();
  expect(state(plain)).toMatchObject({ status: 'exited', exitCode: 143, stopRequested: false });
  expect(state(plain).error ?? '').toBe('');
  for (const id of ids) {
    await expect.poll(() => state(id).status, { timeout: 20_000 }).toBe('running');
    expect(state(id)).toMatchObject({ restartCount: 1 });
  }
  expect(home.runtime.store.get(removed)).toBeUndefined();
});

it('restarts no box by its policy while the host shuts down', async () => {
  const id = await run('always');
  // This box delays the shutdown for longer than the restart policy waits.
  const stubborn = await home.create(['stubborn'], { StopTimeout: 2 });
  expect((await home.call('POST', `/containers/${stubborn}/start`)).status).toBe(204);
  const started = home.host.launches.length;
  await home.stop();
  expect(home.host.launches.length).toBe(started);
  await home.start();
  await expect.poll(() => state(id).status, { timeout: 20_000 }).toBe('running');
});

it('leaves boxes running when only the server stops', async () => {
  await home.stop();
  home.hostStops = false;
  await home.start();
  const id = await run('no');
  await home.stop();
  expect(home.host.running.length).toBe(1);
  await home.start();
  expect(state(id).status).toBe('running');
});

it('stops the other boxes when one cannot be stopped, and logs it', async () => {
  const broken = await run('no');
  const stubborn = await home.create(['stubborn'], { StopTimeout: 1 });
  expect((await home.call('POST', `/containers/${stubborn}/start`)).status).toBe(204);
  const { store } = home.runtime;
  const expectBox = store.expect.bind(store);
  store.expect = (id) => {
    if (id === broken && home.runtime.restarts.held) throw new Error('no such page');
    return expectBox(id);
  };
  await home.stop();
  expect(home.host.vm(stubborn)?.running).toBe(false);
  const log = readFileSync(join(home.config.home, 'server.log'), 'utf8');
  expect(log).toMatch(/not all boxes could be stopped.*no such page/);
});
