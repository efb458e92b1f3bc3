import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Image } from '../../images/image.ts';
import { confidentialBoxes, MINUTE, TIMEOUT, TOKEN } from '../testing/confidential-boxes.ts';
import { TestHome } from '../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../testing/images.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const WITH_VOLUME: Image = {
  ...TEST_IMAGE,
  ...{ id: `sha256:${'4'.repeat(64)}`, manifestDigest: `sha256:${'5'.repeat(64)}` },
  tags: ['volume:latest'],
  config: { ...TEST_IMAGE.config, volumes: ['/data'] },
};

let home: TestHome;
beforeEach(async () => {
  home = new TestHome(new FakeImages(TEST_IMAGE, WITH_VOLUME));
  home.trust.rules = [allowConfidential('**')];
  await home.start();
});
afterEach(() => home.remove());

const { body, changed, guestOf, inspect, listed, record, running } = confidentialBoxes(() => home);

describe('a box that waits for secrets', () => {
  const SECRETS = { Secrets: [TOKEN, { Name: 'any', AllowAnyInjector: true, Env: 'ANY' }] };

  it('shows that a box waits for secrets, and which have come', async () => {
    const id = await running(SECRETS);
    expect(await listed(id)).toMatchObject({
      State: 'running',
      Status: expect.stringMatching(/^Up .* \(waiting for secrets\)$/),
    });
    guestOf(id).deliver('token');
    await changed(id, ({ state }) => state.launch?.secrets.delivered.includes('token') === true);
    expect((await inspect(id)).Confidential).toMatchObject({
      SecretsState: 'waiting',
      Secrets: [
        { Name: 'any', Delivered: false, AllowAnyInjector: true },
        { Name: 'token', Delivered: true, AllowAnyInjector: false },
      ],
    });
    guestOf(id).deliver('any');
    await changed(id, ({ state }) => state.launch?.secrets.state === 'ready');
    expect(await listed(id)).toMatchObject({ Status: expect.not.stringContaining('waiting') });
  });

  it('ends a box with exit code 125 when its secrets do not come in time', async () => {
    const id = await running(SECRETS);
    guestOf(id).expire();
    await changed(id, ({ state }) => state.status === 'exited');
    expect((await inspect(id)).State).toMatchObject({
      ...{ Status: 'exited', ExitCode: 125 },
      Error: expect.stringContaining('secrets'),
    });
    expect((await inspect(id)).Confidential).toMatchObject({ SecretsState: 'expired' });
  });

  it('ends a box with exit code 125 when its guest is gone before it reports missing secrets', async () => {
    const id = await running(SECRETS);
    home.runtime.store.amend(id, {
      launch: {
        ...(record(id).state.launch ?? { hostData: '', policy: '', bootSet: '' }),
        secrets: { state: 'expired', delivered: [] },
      },
    });
    home.host.vm(id)?.poweroff();
    await changed(id, ({ state }) => state.status === 'exited');
    expect(record(id).state).toMatchObject({ exitCode: 125 });
  });

  it('stops a box that waits for secrets', async () => {
    const id = await running(SECRETS);
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(record(id).state.status).toBe('exited');
  });

  it('keeps following the secrets of a box after a restart of the server', async () => {
    const id = await running(SECRETS);
    const { instance } = guestOf(id);
    await home.crash();
    await home.start();
    expect(home.host.adoptions.at(-1)).toEqual({
      id,
      confidential: {
        tee: 'simulated',
        guestStatePath: join(home.config.home, 'boxes', id, 'processor.json'),
      },
    });
    expect(record(id).state).toMatchObject({ status: 'running', launch: { instance } });
    for (const name of ['token', 'any']) guestOf(id).deliver(name);
    await changed(id, ({ state }) => state.launch?.secrets.state === 'ready');
  });

  it('ignores secret names that the launch spec lacks', async () => {
    const id = await running(SECRETS);
    guestOf(id).deliver('forged');
    guestOf(id).deliver('token');
    await changed(id, ({ state }) => state.launch?.secrets.delivered.length === 1);
    expect(record(id).state.launch?.secrets).toEqual({ state: 'waiting', delivered: ['token'] });
  });
});

describe('ending a box whose guest never comes up', () => {
  /** A box that stays in its start, like behind firmware that refuses the measured files. */
  async function starting(more: Record<string, unknown> = {}) {
    const launch = home.host.start.bind(home.host);
    const launched = new Promise<void>((resolve) => {
      home.host.start = async (spec, signal) => {
        const vm = await launch(spec, signal);
        vm.silent = true;
        resolve();
        return vm;
      };
    });
    const id = await home.create(MINUTE, body({}, more));
    const start = home.call('POST', `/containers/${id}/start`);
    await launched;
    return { id, start };
  }

  it('stops a starting box whose guest never comes up when the stop timeout is over', async () => {
    const { id, start } = await starting();
    expect((await home.call('POST', `/containers/${id}/stop?t=0`)).status).toBe(304);
    expect((await start).status).toBe(409);
    expect(record(id).state).toMatchObject({ status: 'created', exitCode: 128 });
    expect(home.host.running).toEqual([]);
  });

  it('kills a starting box at once whose guest never comes up', async () => {
    const { id, start } = await starting();
    expect((await home.call('POST', `/containers/${id}/kill`)).status).toBe(409);
    expect((await start).status).toBe(409);
    expect(home.host.running).toEqual([]);
  });

  it.each([false, true])(
    'removes a starting box by force whose guest never comes up, with --rm: %s',
    async (AutoRemove) => {
      const { id, start } = await starting({ HostConfig: { AutoRemove } });
      expect((await home.call('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
      expect((await start).status).toBe(409);
      expect(home.runtime.store.get(id)).toBeUndefined();
      expect(home.host.running).toEqual([]);
    },
  );

  it('removes a box by force whose microVM the next server has not adopted yet', async () => {
    const { id, start } = await starting();
    start.catch(() => undefined);
    const vm = home.host.vm(id);
    if (vm === undefined) throw new Error('there is no microVM');
    await expect.poll(() => home.runtime.running.get(id)).toBeDefined();
    await home.crash();
    vm.hung = true;
    home.adoption = { attempts: 1000, pauseMs: 10, serveAfterMs: 100 };
    await home.start();
    const removed = home.call('DELETE', `/containers/${id}?force=1`);
    await home.runtime.store.when(id, (box) => box?.state.stopRequested === true, TIMEOUT());
    vm.hung = false;
    expect((await removed).status).toBe(204);
    expect(home.host.running).toEqual([]);
  });

  it('removes a box by force that has no microVM yet', async () => {
    const launch = home.host.start.bind(home.host);
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const asked = new Promise<void>((resolve) => {
      home.host.start = async (spec, signal) => {
        resolve();
        await gate;
        return await launch(spec, signal);
      };
    });
    const id = await home.create(MINUTE, body());
    const start = home.call('POST', `/containers/${id}/start`);
    await asked;
    const removed = home.call('DELETE', `/containers/${id}?force=1`);
    await home.runtime.store.when(id, (box) => box?.state.stopRequested === true, TIMEOUT());
    go();
    expect((await removed).status).toBe(204);
    expect((await start).status).toBe(409);
    expect(home.host.running).toEqual([]);
  });
});
