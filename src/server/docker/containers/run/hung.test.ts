import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitBox } from '../../../../boxes/verbs/wait.ts';
import type { FakeVm } from '../../../../engine/testing/fake-vm.ts';
import { TestHome } from '../../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  home.adoption = { attempts: 3, pauseMs: 20, serveAfterMs: 2000 };
  await home.start();
});
afterEach(() => home.remove());

async function runBox(args: readonly string[] = ['sleep', 'infinity']): Promise<string> {
  const id = await home.create(args);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

/** A box whose start was cut off by the death of the server, at its last step. */
async function starting(): Promise<string> {
  const id = await home.create(['sleep', 'infinity']);
  const store = home.runtime.store;
  const advance = store.advance.bind(store);
  await new Promise<void>((died) => {
    store.advance = (box, event, change) => {
      if (event !== 'started') return advance(box, event, change);
      died(home.crash());
      throw new Error('the server is dead');
    };
    home.call('POST', `/containers/${id}/start`).catch(() => undefined);
  });
  return id;
}

function vmOf(id: string): FakeVm {
  const found = home.host.vm(id);
  if (found === undefined) throw new Error('the box has no microVM');
  return found;
}

async function state(id: string): Promise<unknown> {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  return (body as { State: unknown }).State;
}

describe('a microVM that does not answer after a restart of the server', () => {
  it('undoes the start of a box whose microVM does not answer the next server', async () => {
    const id = await starting();
    vmOf(id).hung = true;
    await home.start();
    await expect
      .poll(() => state(id))
      .toMatchObject({
        Status: 'created',
        ExitCode: 128,
        Error: expect.stringMatching(/while the box was starting/),
      });
    expect(home.host.running).toEqual([]);
    expect((await home.call('DELETE', `/containers/${id}`)).status).toBe(204);
  });

  it('adopts a starting box whose microVM recovers', async () => {
    const id = await starting();
    vmOf(id).hung = true;
    home.adoption = { attempts: 1000, pauseMs: 10, serveAfterMs: 2000 };
    await home.start();
    expect(await state(id)).toMatchObject({ Running: false });
    vmOf(id).hung = false;
    await expect.poll(() => state(id)).toMatchObject({ Status: 'running' });
  });

  it('ends a running box whose microVM does not answer the next server', async () => {
    const id = await runBox();
    await home.crash();
    vmOf(id).hung = true;
    await home.start();
    await expect
      .poll(() => state(id))
      .toMatchObject({
        Status: 'exited',
        ExitCode: 137,
        Error: expect.stringMatching(/did not answer/),
      });
    expect(home.host.running).toEqual([]);
  });

  it('neither delays requests, other boxes nor its own stop for microVMs that do not answer', async () => {
    const ids = [await runBox(), await runBox(), await runBox()];
    await home.crash();
    for (const id of ids.slice(0, 2)) vmOf(id).hung = true;
    home.adoption = { attempts: 1000, pauseMs: 60_000, serveAfterMs: 60_000 };
    await home.start();
    expect(await state(ids[2] ?? '')).toMatchObject({ Status: 'running' });
    await home.stop();
  });

  it('stops a box whose microVM was given up', async () => {
    const id = await runBox();
    const running = home.runtime.running.expect(id);
    home.runtime.running.delete(running);
    expect((await home.call('POST', `/containers/${id}/stop?t=0`)).status).toBe(204);
    expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 137 });
    expect(home.host.running).toEqual([]);
  });
});

describe('stop', () => {
  it('stops a box whose agent does not answer by ending its microVM', async () => {
    const id = await runBox();
    vmOf(id).silent = true;
    vmOf(id).disconnect();
    expect((await home.call('POST', `/containers/${id}/stop?t=0`)).status).toBe(204);
    expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 137, Error: '' });
    expect(home.host.running).toEqual([]);
  }, 30_000);

  it('kills a box when its agent refuses the stop signal', async () => {
    const id = await runBox();
    const guest = await home.runtime.running.expect(id).guest();
    const signal = guest.signal.bind(guest);
    guest.signal = (process, name) =>
      name === 'SIGKILL' ? signal(process, name) : Promise.reject(new Error('refused'));
    expect((await home.call('POST', `/containers/${id}/stop?t=600`)).status).toBe(204);
    expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 137 });
  });

  it('refuses to stop a box with an unknown signal, and changes nothing', async () => {
    const id = await runBox();
    expect((await home.call('POST', `/containers/${id}/stop?signal=BOGUS`)).status).toBe(400);
    expect(home.runtime.store.expect(id).state.stopRequested).toBe(false);
  });
});

it('ends a wait for a starting box when the start is undone', async () => {
  const id = await home.create(['sleep', 'infinity']);
  const open = home.host.holdLaunches();
  home.host.failNextLaunch(new Error('no microVM'));
  const start = home.call('POST', `/containers/${id}/start`);
  await expect.poll(() => home.host.launches.length).toBe(1);
  expect(home.runtime.store.expect(id).state.status).toBe('starting');
  const waiting = waitBox(home.runtime, id, 'not-running', new AbortController().signal);
  open();
  expect((await start).status).toBe(500);
  expect(await waiting).toEqual({ exitCode: 128, error: '' });
});

describe('an exec whose connection is lost', () => {
  it('continues an exec after a lost connection, and keeps its exit code', async () => {
    let end: (code: number) => void = () => undefined;
    const code = new Promise<number>((resolve) => {
      end = resolve;
    });
    home.agentOptions = { programs: { told: () => code } };
    const id = await runBox();
    const created = await home.call('POST', `/containers/${id}/exec`, { Cmd: ['told'] });
    const { Id } = created.body as { Id: string };
    expect((await home.call('POST', `/exec/${Id}/start`, { Detach: true })).status).toBe(200);
    vmOf(id).disconnect();
    const inspect = async (): Promise<unknown> => (await home.call('GET', `/exec/${Id}/json`)).body;
    expect(await inspect()).toMatchObject({ Running: true });
    end(9);
    await expect.poll(inspect, { timeout: 10_000 }).toMatchObject({ Running: false, ExitCode: 9 });
  });
});
