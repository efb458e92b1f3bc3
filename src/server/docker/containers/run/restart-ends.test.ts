import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';
import { lyingAgent, saying } from '../../../testing/hostile-agent.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const TIMEOUT = { timeout: 20_000 };

async function start(args: readonly string[], more = {}): Promise<string> {
  const id = await home.create(args, more);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

function state(id: string) {
  return home.runtime.store.expect(id).state;
}

/** Pauses the box like a user. */
async function pause(id: string): Promise<void> {
  const guest = await home.runtime.running.expect(id).guest();
  await guest.freeze();
  home.runtime.store.advance(id, 'pause');
}

describe('the exit of a box', () => {
  it('keeps an exit code that was reported before the microVM died with output missing', async () => {
    home.takeover = lyingAgent({
      'POST /v1/processes/main/output': (stream) => void stream.resume().respond(),
      'GET /v1/processes/main/ended': saying({
        ...{ exitCode: 7, signal: null, oomKilled: false },
        finishedAt: '2026-01-01T00:00:00Z',
      }),
    });
    const id = await start(['sleep', 'infinity']);
    // The answer to this later request shows that the exit has arrived.
    const created = await home.call('POST', `/containers/${id}/exec`, { Cmd: ['true'] });
    const { Id: exec } = created.body as { Id: string };
    expect((await home.call('POST', `/exec/${exec}/start`, { Detach: true })).status).toBe(200);
    expect(state(id).status).toBe('running');
    home.host.vm(id)?.crash();
    await expect.poll(() => state(id), TIMEOUT).toMatchObject({ status: 'exited', exitCode: 7 });
  });
});

describe('a stop', () => {
  it('continues a stop over a new control stream when the first one is cut', async () => {
    let connections = 0;
    let asked = 0;
    home.takeover = (agent, stream) => {
      connections += 1;
      if (connections > 1) return agent.serve(stream);
      lyingAgent({
        'POST /v1/processes/main/signal': () => {
          asked += 1;
          stream.destroy();
        },
      })(agent, stream);
    };
    const id = await start(['sleep', 'infinity']);
    expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect(state(id)).toMatchObject({ status: 'exited', exitCode: 143 });
    expect({ connections, asked }).toEqual({ connections: 2, asked: 1 });
  });

  it('waits forever for a stop with a timeout of -1', async () => {
    const id = await start(['stubborn']);
    const stopping = home.call('POST', `/containers/${id}/stop?t=-1`);
    const said = async () => (await home.call('GET', `/containers/${id}/logs?stdout=1`)).body;
    await expect.poll(said, TIMEOUT).toContain('ignored SIGTERM');
    expect(state(id)).toMatchObject({ status: 'running', stopRequested: true });
    expect((await home.call('POST', `/containers/${id}/kill`)).status).toBe(204);
    expect((await stopping).status).toBe(204);
    expect(state(id)).toMatchObject({ status: 'exited', exitCode: 137 });
  });
});

describe('a box that is paused', () => {
  it('refuses to start, enter or remove a paused box without force', async () => {
    const id = await start(['sleep', 'infinity']);
    await pause(id);
    const refusals = [
      await home.call('POST', `/containers/${id}/start`),
      await home.call('POST', `/containers/${id}/exec`, { Cmd: ['true'] }),
      await home.call('DELETE', `/containers/${id}`),
    ];
    expect(refusals).toMatchObject([
      { status: 409, body: { code: 'conflict', message: expect.stringContaining('unpause') } },
      { status: 409, body: { code: 'conflict', message: expect.stringContaining('is paused') } },
      { status: 409, body: { code: 'box-running', message: expect.stringContaining('paused') } },
    ]);
    expect((await home.call('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
  });

  it.each(['stop', 'kill?signal=TERM', 'restart'])(
    'resumes a paused box to end it by %s',
    async (verb) => {
      const id = await start(['sleep', 'infinity']);
      await pause(id);
      expect((await home.call('POST', `/containers/${id}/${verb}`)).status).toBe(204);
      const status = verb === 'restart' ? 'running' : 'exited';
      await expect.poll(() => state(id).status, TIMEOUT).toBe(status);
      expect(home.agents.get(id)?.frozen).toBe(false);
    },
  );

  it('adopts a paused box, and restarts it by its policy when its microVM is lost', async () => {
    const id = await start(['sleep', 'infinity'], {
      HostConfig: { RestartPolicy: { Name: 'always' } },
    });
    await pause(id);
    await home.crash();
    await home.start();
    expect(state(id).status).toBe('paused');
    home.host.vm(id)?.crash();
    await expect.poll(() => state(id), TIMEOUT).toMatchObject({ status: 'running', run: 2 });
  });
});
