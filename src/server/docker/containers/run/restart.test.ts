import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Box } from '../../../../boxes/record/box.ts';
import type { BoxEvent } from '../../../../boxes/record/states.ts';
import { restartByPolicy } from '../../../../boxes/start/start.ts';
import { stopBox } from '../../../../boxes/verbs/stop.ts';
import { waitBox } from '../../../../boxes/verbs/wait.ts';
import { A3sError } from '../../../../errors.ts';
import { RESTARTS_AT_ONCE } from '../../../serve.ts';
import { TestHome } from '../../../testing/home.ts';
import { allow, deny } from '../../../testing/signed-images.ts';
import { inspectBox } from '../inspect/inspect.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const TIMEOUT = { timeout: 20_000 };

function restarting(name: string, count = 0) {
  return { HostConfig: { RestartPolicy: { Name: name, MaximumRetryCount: count } } };
}

function record(id: string): Box | undefined {
  return home.runtime.store.get(id);
}

function state(id: string) {
  return home.runtime.store.expect(id).state;
}

async function becomes(id: string, expected: object): Promise<void> {
  await expect.poll(() => record(id)?.state, TIMEOUT).toMatchObject(expected);
}

/**
 * A box with the policy, in its run number `run`; `ready` is awaited before each crash of its
 * microVM.
 */
async function running(
  name: string,
  run: number,
  args = ['sleep', 'infinity'],
  ready = async (_id: string, _run: number): Promise<void> => {},
): Promise<string> {
  const id = await home.create(args, restarting(name));
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  for (let i = 1; i < run; i += 1) {
    await ready(id, i);
    home.host.vm(id)?.crash();
    await becomes(id, { status: 'running', run: i + 1 });
  }
  return id;
}

/** A box whose restart is pending for long enough to send requests meanwhile. */
async function waiting(): Promise<string> {
  const id = await running('always', 1);
  const { store } = home.runtime;
  const advance = store.advance.bind(store);
  store.advance = (box, event, change) => {
    const later = {
      restartAt: new Date(Date.now() + 60_000).toISOString(),
      restartDelayMs: 60_000,
    };
    return advance(box, event, event === 'gone-restart' ? { ...change, ...later } : change);
  };
  home.host.vm(id)?.crash();
  await becomes(id, { status: 'restarting' });
  store.advance = advance;
  return id;
}

function events(): string[] {
  const seen: string[] = [];
  const { events } = home.runtime;
  const publish = events.publish.bind(events);
  events.publish = (type, action, id, attributes) => {
    seen.push(action);
    publish(type, action, id, attributes);
  };
  return seen;
}

describe('a restart policy', () => {
  it('restarts a failing box twice under on-failure:2, with events for each run', async () => {
    const id = await home.create(['exit', '3'], restarting('on-failure', 2));
    const seen = events();
    await home.call('POST', `/containers/${id}/start`);
    await becomes(id, { status: 'exited', exitCode: 3, restartCount: 2, run: 3 });
    expect(seen.filter((action) => action === 'start' || action === 'die')).toEqual([
      ...['start', 'die', 'start', 'die', 'start', 'die'],
    ]);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ RestartCount: 2, State: { Status: 'exited', ExitCode: 3 } });
    // A start by a user resets the count of restarts.
    await home.call('POST', `/containers/${id}/start`);
    await becomes(id, { status: 'exited', restartCount: 2, run: 6 });
  });

  it('does not restart a box under on-failure that exits with 0', async () => {
    const id = await home.create(['true'], restarting('on-failure'));
    await home.call('POST', `/containers/${id}/start`);
    await becomes(id, { status: 'exited', exitCode: 0, run: 1 });
  });

  it('restarts a box under always after its microVM is lost, and keeps the output of each run', async () => {
    const said = async (id: string, times: number): Promise<void> => {
      const log = async (): Promise<string> =>
        String((await home.call('GET', `/containers/${id}/logs?stdout=1`)).body);
      await expect.poll(async () => (await log()).match(/hello/g), TIMEOUT).toHaveLength(times);
    };
    const id = await running('always', 3, ['sh', '-c', 'echo hello; sleep infinity'], said);
    expect(state(id)).toMatchObject({ restartCount: 2 });
    // The pause doubles unless the run before lasted ten seconds, which happens on a busy host.
    expect([100, 200]).toContain(state(id).restartDelayMs);
    await said(id, 3);
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(state(id)).toMatchObject({ status: 'exited', exitCode: 143, restartAt: undefined });
  });

  it.each(['stop', 'kill', 'kill?signal=TERM'])(
    'does not restart a box by its policy after a user’s %s',
    async (verb) => {
      const id = await running('unless-stopped', 2);
      expect((await home.call('POST', `/containers/${id}/${verb}`)).status).toBe(204);
      await becomes(id, { status: 'exited', stopRequested: true, run: 2 });
      expect(home.host.running).toEqual([]);
    },
  );

  it('restarts a box by its policy after a signal other than its stop signal', async () => {
    const id = await running('always', 1);
    await home.call('POST', `/containers/${id}/kill?signal=INT`);
    await becomes(id, { status: 'running', run: 2 });
  });

  it('retries a restart that failed temporarily, and gives up on one that was refused', async () => {
    const id = await running('always', 1);
    home.host.failNextLaunch(new A3sError('vmm-failed', 'QEMU did not start'));
    home.host.vm(id)?.crash();
    await becomes(id, { status: 'running', restartCount: 2, run: 3 });
    home.trust.rules = [deny('**')];
    home.host.vm(id)?.crash();
    await becomes(id, { status: 'exited', exitCode: 125, restartDelayMs: undefined });
    home.trust.rules = [allow('**')];
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
    expect(state(id)).toMatchObject({ restartCount: 0 });
  });

  it('does not apply the restart policy to a start by a user that fails', async () => {
    const id = await home.create(['no-such-program'], restarting('always'));
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(400);
    expect(state(id)).toMatchObject({ status: 'created', exitCode: 127 });
  });

  it('refuses a restart policy together with --rm', async () => {
    const answer = await home.call('POST', '/containers/create', {
      Image: 'busybox',
      HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } },
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument', message: expect.stringContaining('AutoRemove') },
    });
  });
});

describe('a box that waits for its restart', () => {
  it('shows a box as restarting, and refuses to remove it without force', async () => {
    const id = await waiting();
    const list = await home.call('GET', '/containers/json?all=1');
    expect(list.body).toMatchObject([
      { State: 'restarting', Status: expect.stringMatching(/^Restarting \(137\)/) },
    ]);
    const refused = await home.call('DELETE', `/containers/${id}`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'box-running' } });
    expect((await home.call('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
    expect(record(id)).toBeUndefined();
  });

  it.each(['stop', 'kill'])('cancels a pending restart on %s', async (verb) => {
    const id = await waiting();
    const seen = events();
    const ended = home.call('POST', `/containers/${id}/wait`);
    const exec = await home.call('POST', `/containers/${id}/exec`, { Cmd: ['true'] });
    expect(exec.status).toBe(409);
    expect((await home.call('POST', `/containers/${id}/${verb}`)).status).toBe(204);
    expect(state(id)).toMatchObject({ status: 'exited', exitCode: 137, stopRequested: true });
    expect((await ended).body).toMatchObject({ StatusCode: 137 });
    expect(seen).toEqual([verb]);
  });

  it('stops a box whose pending restart began before the stop', async () => {
    const id = await waiting();
    const { run } = state(id);
    // The pending restart begins between the stop's check of the state and the stop.
    const started = restartByPolicy(home.runtime, id, run);
    const stopped = stopBox(home.runtime, id, {});
    expect([await stopped, await started]).toEqual([true, undefined]);
    await becomes(id, { status: 'exited', stopRequested: true, run: run + 1 });
  });

  it('starts a box with a pending restart at once when a user starts it', async () => {
    const id = await waiting();
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
    expect(state(id)).toMatchObject({ status: 'running', restartCount: 0, run: 2 });
  });

  it.each(['not-running', 'next-exit'] as const)(
    'ends a wait for %s at the end of each run of a restarting box',
    async (how) => {
      const id = await running('always', 1);
      const ended = waitBox(home.runtime, id, how, home.runtime.shutdown);
      home.host.vm(id)?.crash();
      expect(await ended).toMatchObject({ exitCode: 137 });
      await becomes(id, { status: 'running', run: 2 });
    },
  );
});

describe('a restart by a user', () => {
  it('restarts a box on a user’s request whatever its policy', async () => {
    const id = await running('always', 2);
    const seen = events();
    expect((await home.call('POST', `/containers/${id}/restart?t=5`)).status).toBe(204);
    expect(state(id)).toMatchObject({ status: 'running', run: 3, restartCount: 0 });
    expect(seen).toEqual(['kill', 'die', 'stop', 'start', 'restart']);
  });

  it('shows a box as running when it ends for a restart, and as exited when that fails', async () => {
    const id = await running('no', 1);
    const { events } = home.runtime;
    const publish = events.publish.bind(events);
    const shown: unknown[] = [];
    events.publish = (type, action, box, attributes) => {
      if (action === 'die') {
        shown.push(inspectBox(home.runtime, home.runtime.store.expect(id)).State);
      }
      publish(type, action, box, attributes);
    };
    home.trust.rules = [deny('**')];
    expect((await home.call('POST', `/containers/${id}/restart`)).status).toBe(403);
    expect(shown).toMatchObject([{ Status: 'running', Running: true, Restarting: false }]);
    expect((await home.call('GET', `/containers/${id}/json`)).body).toMatchObject({
      State: { Status: 'exited', Running: false },
    });
  });

  it('restarts with a signal, also a box that does not run or has --rm', async () => {
    const id = await home.create(['sleep', 'infinity'], { HostConfig: { AutoRemove: true } });
    expect((await home.call('POST', `/containers/${id}/restart`)).status).toBe(204);
    expect((await home.call('POST', `/containers/${id}/restart?signal=INT`)).status).toBe(204);
    expect(state(id)).toMatchObject({ status: 'running', run: 2 });
    const refused = await home.call('POST', `/containers/${id}/restart?signal=NO`);
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
    await home.call('POST', `/containers/${id}/stop`);
    await expect.poll(() => record(id), TIMEOUT).toBeUndefined();
  });
});

describe('a server that is killed', () => {
  it('starts a box with a pending restart after a server crash', async () => {
    const id = await waiting();
    await home.crash();
    const { state: before } = home.runtime.store.expect(id);
    expect(before).toMatchObject({ status: 'restarting', restartDelayMs: 60_000 });
    await home.start();
    expect(state(id)).toMatchObject({ status: 'restarting', restartAt: before.restartAt });
    home.runtime.store.amend(id, { restartAt: new Date(0).toISOString() });
    await home.crash();
    await home.start();
    await becomes(id, { status: 'running', run: 2, restartCount: 1 });
  });

  it('applies restart policies after a reboot of the host', async () => {
    const policies = ['no', 'on-failure', 'always', 'unless-stopped'];
    const ids = await Promise.all(policies.map((name) => running(name, 1)));
    await home.crash();
    for (const vm of home.host.running) vm.killed();
    await home.start();
    const [none = '', ...others] = ids;
    for (const id of others) await becomes(id, { status: 'running', run: 2, restartCount: 1 });
    await becomes(none, { status: 'exited', exitCode: 137, run: 1 });
  });

  it.each([
    ['start', 'before'],
    ['start', 'after'],
    ['started', 'before'],
    ['started', 'after'],
    ['gone-restart', 'before'],
    ['gone-restart', 'after'],
  ] as const)(
    'completes a restart by policy after the server dies at %s (%s)',
    async (event, when) => {
      const id = await running('on-failure', 1);
      const died = dieAt(event, when);
      home.host.vm(id)?.crash();
      await died;
      await home.start();
      await becomes(id, { status: 'running', restartCount: 1 });
      expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
      expect((await home.call('DELETE', `/containers/${id}`)).status).toBe(204);
      expect(home.host.running).toEqual([]);
    },
  );

  it('restores stopped boxes after a reboot only if their policy says so', async () => {
    const always = await running('always', 1);
    const unless = await running('unless-stopped', 1);
    const never = await home.create(['sleep', 'infinity'], restarting('always'));
    for (const id of [always, unless]) await home.call('POST', `/containers/${id}/stop`);
    await home.stop();
    await home.start();
    expect([always, unless, never].map((id) => state(id).status)).toEqual([
      ...['exited', 'exited', 'created'],
    ]);
    await home.stop();
    home.afterReboot = true;
    await home.start();
    await becomes(always, { status: 'running', restartCount: 0 });
    expect([unless, never].map((id) => state(id).status)).toEqual(['exited', 'created']);
  });

  it('restores boxes in the background, a few at a time', async () => {
    const { ids, open } = await rebooted(RESTARTS_AT_ONCE + 2);
    expect((await home.call('GET', '/_ping')).status).toBe(200);
    expect(ids.filter((id) => state(id).status === 'exited')).toHaveLength(2);
    open();
    for (const id of ids) await becomes(id, { status: 'running' });
  });

  it('does not restore a queued box that a user stops, updates or removes', async () => {
    const { ids, open } = await rebooted(RESTARTS_AT_ONCE + 4);
    const queued = ids.filter((id) => state(id).status === 'exited');
    const [stopped = '', updated = '', removed = '', last = ''] = queued;
    expect((await home.call('POST', `/containers/${stopped}/stop`)).status).toBe(304);
    const never = { RestartPolicy: { Name: 'no' } };
    expect((await home.call('POST', `/containers/${updated}/update`, never)).status).toBe(200);
    expect((await home.call('DELETE', `/containers/${removed}`)).status).toBe(204);
    open();
    await becomes(last, { status: 'running', run: 2 });
    expect(state(stopped)).toMatchObject({ status: 'exited', run: 1 });
    expect(state(updated)).toMatchObject({ status: 'exited', run: 1 });
    expect(record(removed)).toBeUndefined();
  });

  it('does not restore a queued box that a user has started and that has ended', async () => {
    const { ids, open } = await rebooted(RESTARTS_AT_ONCE + 2);
    const [again = '', last = ''] = ids.filter((id) => state(id).status === 'exited');
    const { store } = home.runtime;
    // The record is as after a start and an end, which would be queued here.
    store.amend(again, { run: 2 });
    open();
    await becomes(last, { status: 'running', run: 2 });
    expect(state(again)).toMatchObject({ status: 'exited', run: 2 });
  });
});

/**
 * Boxes that a server starts after a reboot while their launches are held: as many are starting as
 * may start at once.
 */
async function rebooted(count: number): Promise<{ ids: readonly string[]; open: () => void }> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) ids.push(await running('always', 1));
  for (const id of ids) await home.call('POST', `/containers/${id}/stop`);
  await home.stop();
  home.afterReboot = true;
  const open = home.host.holdLaunches();
  await home.start();
  const starting = () => ids.filter((id) => state(id).status === 'starting');
  await expect.poll(() => starting().length, TIMEOUT).toBe(RESTARTS_AT_ONCE);
  return { ids, open };
}

/** The server dies before or after the next `event` is recorded. */
function dieAt(event: BoxEvent, when: 'before' | 'after'): Promise<void> {
  const { store } = home.runtime;
  const advance = store.advance.bind(store);
  return new Promise((died) => {
    store.advance = (id, happened, change) => {
      if (happened !== event) return advance(id, happened, change);
      if (when === 'after') advance(id, happened, change);
      died(home.crash());
      throw new Error('the server is dead');
    };
  });
}
