import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRefusal } from '../../../../guest/testing/fake-refusal.ts';
import { TestHome } from '../../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

async function runBox(args: readonly string[] = ['sleep', 'infinity']): Promise<string> {
  const id = await home.create(args);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const ask = (id: string, verb: string) => home.call('POST', `/containers/${id}/${verb}`);
const status = (id: string) => home.runtime.store.expect(id).state.status;
const frozen = (id: string) => home.agents.get(id)?.frozen;

class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

describe('a paused box', () => {
  it('freezes a paused box until it is unpaused', async () => {
    const id = await runBox();
    expect((await ask(id, 'pause')).status).toBe(204);
    expect([status(id), frozen(id)]).toEqual(['paused', true]);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'paused' } });
    expect((await ask(id, 'unpause')).status).toBe(204);
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });

  it('refuses impossible pauses in Docker’s words', async () => {
    const id = await runBox();
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

  it('stops a paused box by its signal, which it receives once it is resumed', async () => {
    const id = await runBox();
    await ask(id, 'pause');
    expect((await ask(id, 'stop')).status).toBe(204);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'exited', ExitCode: 143 } });
  });

  it('kills a paused box', async () => {
    const id = await runBox();
    await ask(id, 'pause');
    expect((await ask(id, 'kill')).status).toBe(204);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Status: 'exited', ExitCode: 137 } });
  });

  it('delivers a signal to a paused box when it is unpaused', async () => {
    const id = await runBox();
    await ask(id, 'pause');
    expect((await ask(id, 'kill?signal=INT')).status).toBe(204);
    expect(status(id)).toBe('paused');
    const ended = ask(id, 'wait');
    await ask(id, 'unpause');
    expect((await ended).body).toEqual({ StatusCode: 130 });
  });

  it('keeps a box paused under the next server, and freezes it again if needed', async () => {
    const id = await runBox();
    await ask(id, 'pause');
    const agent = home.agents.get(id);
    if (agent !== undefined) agent.frozen = false;
    await home.crash();
    await home.start();
    // This request runs after the server has reconciled the box.
    expect(await ask(id, 'pause')).toMatchObject({ status: 409 });
    expect([status(id), frozen(id)]).toEqual(['paused', true]);
    expect((await ask(id, 'unpause')).status).toBe(204);
    expect(frozen(id)).toBe(false);
  });

  it('does not pause a box again after a restart of the server once a signal has resumed it', async () => {
    const id = await runBox();
    await ask(id, 'pause');
    await home.crash();
    const vm = home.host.vm(id);
    if (vm === undefined) throw new Error('it has no microVM');
    const gate = new Gate();
    vm.applyLimits = () => gate.opened;
    await home.start();
    const running = home.runtime.running.expect(id);
    const guest = await running.guest();
    // The box ignores its stop signal.
    guest.signal = async () => undefined;
    expect((await ask(id, 'kill?signal=TERM')).status).toBe(204);
    expect([status(id), frozen(id)]).toEqual(['running', false]);
    gate.open();
    await home.runtime.locks.run(id, async () => undefined);
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });

  it('resumes a box that gets a stop signal while it is being paused', async () => {
    const id = await runBox();
    const running = home.runtime.running.expect(id);
    const guest = await running.guest();
    const [started, gate] = [new Gate(), new Gate()];
    const freeze = guest.freeze.bind(guest);
    guest.freeze = async (signal) => {
      started.open();
      await gate.opened;
      await freeze(signal);
    };
    guest.signal = async () => undefined;
    const paused = ask(id, 'pause');
    await started.opened;
    const killed = ask(id, 'kill?signal=TERM');
    await expect.poll(() => home.runtime.store.expect(id).state.stopRequested).toBe(true);
    gate.open();
    expect([(await paused).status, (await killed).status]).toEqual([204, 204]);
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });

  it('reports a paused box as exited when its microVM ends', async () => {
    const id = await runBox();
    await ask(id, 'pause');
    const ended = ask(id, 'wait');
    home.host.vm(id)?.crash();
    expect((await ended).body).toMatchObject({ StatusCode: 137 });
    expect(status(id)).toBe('exited');
  });

  it('leaves a box running when its guest cannot freeze it', async () => {
    const id = await runBox();
    home.takeover = undefined;
    const running = home.runtime.running.expect(id);
    const guest = await running.guest();
    guest.freeze = () => Promise.reject(new FakeRefusal('setup-failed', 'no'));
    expect((await ask(id, 'pause')).status).toBe(500);
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });
});
