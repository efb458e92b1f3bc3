import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRefusal } from '../guest/fake-refusal.ts';
import { TestHome } from './testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

async function running(args: readonly string[] = ['sleep', 'infinity']): Promise<string> {
  const id = await home.create(args);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const ask = (id: string, verb: string) => home.call('POST', `/containers/${id}/${verb}`);
const status = (id: string) => home.runtime.store.expect(id).state.status;
const frozen = (id: string) => home.agents.get(id)?.frozen;

describe('a paused box', () => {
  it('stands still until it goes on', async () => {
    const id = await running();
    expect((await ask(id, 'pause')).status).toBe(204);
    expect([status(id), frozen(id)]).toEqual(['paused', true]);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'paused' } });
    expect((await ask(id, 'unpause')).status).toBe(204);
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });

  it('is refused in Docker’s words what it cannot do', async () => {
    const id = await running();
    expect(await ask(id, 'unpause')).toMatchObject({
      ...{ status: 409, body: { code: 'conflict', message: `Container ${id} is not paused` } },
    });
    await ask(id, 'pause');
    expect(await ask(id, 'pause')).toMatchObject({
      ...{ status: 409, body: { code: 'conflict', message: `Container ${id} is already paused` } },
    });
    const created = await home.create(['true']);
    expect(await ask(created, 'pause')).toMatchObject({
      ...{ status: 409, body: { code: 'box-not-running' } },
    });
  });

  it('is stopped by its signal, which it gets when it goes on', async () => {
    const id = await running();
    await ask(id, 'pause');
    expect((await ask(id, 'stop')).status).toBe(204);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'exited', ExitCode: 143 } });
  });

  it('is killed', async () => {
    const id = await running();
    await ask(id, 'pause');
    expect((await ask(id, 'kill')).status).toBe(204);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'exited', ExitCode: 137 } });
  });

  it('keeps a signal that is not to end it until it goes on', async () => {
    const id = await running();
    await ask(id, 'pause');
    expect((await ask(id, 'kill?signal=INT')).status).toBe(204);
    expect(status(id)).toBe('paused');
    const ended = ask(id, 'wait');
    await ask(id, 'unpause');
    expect((await ended).body).toEqual({ StatusCode: 130 });
  });

  it('is paused for the next server too, also where the last one came not as far', async () => {
    const id = await running();
    await ask(id, 'pause');
    const agent = home.agents.get(id);
    if (agent !== undefined) agent.frozen = false;
    await home.crash();
    await home.start();
    // In turn with what the server does for it.
    expect(await ask(id, 'pause')).toMatchObject({ status: 409 });
    expect([status(id), frozen(id)]).toEqual(['paused', true]);
    expect((await ask(id, 'unpause')).status).toBe(204);
    expect(frozen(id)).toBe(false);
  });

  it('has exited when its machine is gone', async () => {
    const id = await running();
    await ask(id, 'pause');
    const ended = ask(id, 'wait');
    home.host.machine(id)?.crash();
    expect((await ended).body).toMatchObject({ StatusCode: 137 });
    expect(status(id)).toBe('exited');
  });

  it('is none where its guest does not stand still', async () => {
    const id = await running();
    home.takeover = undefined;
    const live = home.runtime.live.expect(id);
    const guest = await live.guest();
    guest.freeze = () => Promise.reject(new FakeRefusal('setup-failed', 'no'));
    expect((await ask(id, 'pause')).status).toBe(500);
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });
});
