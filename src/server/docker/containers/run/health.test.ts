import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeProbe } from '../../../../guest/testing/fake-probe.ts';
import { TestHome } from '../../../testing/home.ts';
import { lyingAgent, saying } from '../../../testing/hostile-agent.ts';
import { FakeImages, TEST_IMAGE } from '../../../testing/images.ts';
import { inspectBox } from '../inspect/inspect.ts';

const MILLISECOND = 1_000_000;
const TIMEOUT = { timeout: 20_000 };
/** The image sets only the test: its default intervals would be too long for these tests. */
const OFTEN = { Interval: 10 * MILLISECOND, Timeout: 20_000 * MILLISECOND, Retries: 2 };

let home: TestHome;
let probe: FakeProbe;
beforeEach(async () => {
  const healthcheck = {
    ...{ test: ['CMD', 'probe', 'of-image'], interval: 0, timeout: 0 },
    ...{ startPeriod: 0, startInterval: 0, retries: 0 },
  };
  const config = { ...TEST_IMAGE.config, healthcheck };
  home = new TestHome(
    new FakeImages(TEST_IMAGE, {
      ...TEST_IMAGE,
      ...{ id: `sha256:${'9'.repeat(64)}`, manifestDigest: `sha256:${'8'.repeat(64)}` },
      ...{ tags: ['checked:latest'], config },
    }),
  );
  probe = new FakeProbe();
  home.agentOptions = { programs: { probe: probe.program } };
  await home.start();
});
afterEach(() => home.remove());

function checked(more: Record<string, unknown> = {}) {
  return { Healthcheck: { Test: ['CMD', 'probe'], ...OFTEN, ...more } };
}

async function start(more: Record<string, unknown> = checked()): Promise<string> {
  const id = await home.create(['sleep', 'infinity'], more);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

async function stateOf(id: string): Promise<Record<string, unknown>> {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  return (body as { State: Record<string, unknown> }).State;
}

function health(id: string) {
  return home.runtime.store.expect(id).state.health;
}

async function becomes(id: string, status: string): Promise<void> {
  await expect.poll(() => health(id)?.status, TIMEOUT).toBe(status);
}

async function statusText(id: string): Promise<string> {
  const { body } = await home.call('GET', '/containers/json?all=1');
  return (body as { Id: string; Status: string }[]).find(({ Id }) => Id === id)?.Status ?? '';
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

describe('a health check', () => {
  it('reports the health of a box as starting while it boots again', async () => {
    const { state, ...box } = home.runtime.store.expect(await start());
    const booting = { ...state, status: 'starting', health: undefined, restartCount: 1 } as const;
    expect(inspectBox(home.runtime, { ...box, state: booting }).State).toMatchObject({
      ...{ Status: 'restarting', Running: true },
      Health: { Status: 'starting', FailingStreak: 0, Log: [] },
    });
  });

  it('reports a box healthy, unhealthy and healthy again, with an event each time', async () => {
    const seen = events();
    probe.output = 'fine\n';
    const id = await start();
    await becomes(id, 'healthy');
    expect(await statusText(id)).toMatch(/^Up .* \(healthy\)$/);
    probe.outcome = 1;
    await becomes(id, 'unhealthy');
    expect(await statusText(id)).toMatch(/ \(unhealthy\)$/);
    probe.outcome = 0;
    await becomes(id, 'healthy');
    expect(await stateOf(id)).toMatchObject({
      Health: {
        Status: 'healthy',
        FailingStreak: 0,
        Log: expect.arrayContaining([
          expect.objectContaining({ ExitCode: 0, Output: 'fine\n', Start: expect.any(String) }),
        ]),
      },
    });
    expect(health(id)?.log.length).toBeLessThanOrEqual(5);
    expect(seen.filter((action) => action.startsWith('health_status'))).toEqual([
      ...['health_status: healthy', 'health_status: unhealthy', 'health_status: healthy'],
    ]);
    const first = seen.indexOf('exec_create: probe');
    expect(seen.slice(first, first + 3)).toEqual([
      ...['exec_create: probe', 'exec_start: probe', 'exec_die'],
    ]);
  });

  it('runs the health check of the image unless the request replaces or disables it', async () => {
    const inherit = { Image: 'checked', Healthcheck: { Interval: 10 * MILLISECOND } };
    const id = await start(inherit);
    await becomes(id, 'healthy');
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ Config: { Healthcheck: { Test: ['CMD', 'probe', 'of-image'] } } });
    const off = await start({ Image: 'checked', Healthcheck: { Test: ['NONE'] } });
    expect(health(off)).toBeUndefined();
    expect(await stateOf(off)).not.toHaveProperty('Health');
  });

  it('runs a health check with the user, the directory and the variables of the box', async () => {
    const program = { args: [] as unknown, seen: 0 };
    home.agentOptions = {
      programs: {
        probe: async ({ spec }) => {
          Object.assign(program, { args: spec });
          return 0;
        },
      },
    };
    const id = await start({ ...checked(), User: 'nobody', WorkingDir: '/work', Env: ['A=b'] });
    await becomes(id, 'healthy');
    expect(program.args).toMatchObject({
      ...{ args: ['probe'], user: 'nobody', cwd: '/work', terminal: false, stdin: false },
      env: expect.arrayContaining(['A=b', 'FROM_IMAGE=yes']),
    });
    expect(home.agents.get(id)?.grouped).toEqual(new Set());
  });

  it('kills a hanging health check at its timeout, and bounds its output', async () => {
    probe.outcome = 'hang';
    probe.output = 'x'.repeat(10_000);
    const id = await start(checked({ Timeout: 50 * MILLISECOND }));
    await becomes(id, 'unhealthy');
    await expect.poll(() => health(id)?.log.length ?? 0, TIMEOUT).toBeGreaterThan(1);
    expect(health(id)?.log[0]).toMatchObject({
      exitCode: -1,
      output: expect.stringMatching(/^Health check exceeded timeout \(50ms\): x{4096}\.\.\.$/),
    });
    expect(probe.running).toBeLessThanOrEqual(1);
  });

  it('reports a health check whose program is missing as failed, with the reason', async () => {
    const id = await start(checked({ Test: ['CMD', 'no-such-program'] }));
    await becomes(id, 'unhealthy');
    expect(health(id)?.log[0]).toMatchObject({
      exitCode: -1,
      output: expect.stringContaining('executable file not found in $PATH'),
    });
  });

  it('suspends the health check while the box is paused', async () => {
    const id = await start();
    await becomes(id, 'healthy');
    home.runtime.store.advance(id, 'pause');
    await expect.poll(() => probe.running, TIMEOUT).toBe(0);
    const { runs } = probe;
    const before = health(id);
    // Meanwhile a probe would have run.
    for (let i = 0; i < 10; i += 1) await home.call('GET', '/_ping');
    expect(probe.runs - runs).toBeLessThanOrEqual(1);
    expect(health(id)).toEqual(before);
    home.runtime.store.advance(id, 'unpause');
    await expect.poll(() => probe.runs, TIMEOUT).toBeGreaterThan(runs + 1);
  });

  it('resets the health state for each run of a box, and ends its probe with the run', async () => {
    probe.outcome = 1;
    const id = await start();
    await becomes(id, 'unhealthy');
    await home.call('POST', `/containers/${id}/stop`);
    expect(health(id)).toMatchObject({ status: 'unhealthy' });
    expect(await statusText(id)).toMatch(/^Exited/);
    probe.outcome = 'hang';
    await home.call('POST', `/containers/${id}/start`);
    expect(health(id)).toEqual({ status: 'starting', failingStreak: 0, log: [] });
    expect(await statusText(id)).toMatch(/ \(health: starting\)$/);
    await home.call('POST', `/containers/${id}/kill`);
    await expect.poll(() => probe.running, TIMEOUT).toBe(0);
  });

  it('continues a probe over a lost connection without counting a failure', async () => {
    probe.outcome = 'hang';
    const id = await start();
    await expect.poll(() => probe.running, TIMEOUT).toBe(1);
    const running = home.runtime.running.expect(id);
    const lost = await running.guest();
    home.host.vm(id)?.disconnect();
    await lost.closed;
    await expect.poll(async () => (await running.guest()) !== lost, TIMEOUT).toBe(true);
    expect(health(id)).toMatchObject({ status: 'starting', failingStreak: 0 });
    // The host reads the output of the same probe again. The next probe hangs.
    expect(probe.runs).toBe(1);
    probe.end(0);
    await becomes(id, 'healthy');
    expect(health(id)).toMatchObject({ failingStreak: 0, log: [{ exitCode: 0 }] });
  });

  it('continues health checks after a server crash, and kills the probe of the killed server', async () => {
    const id = await start();
    await becomes(id, 'healthy');
    probe.outcome = 'hang';
    await expect.poll(() => probe.running, TIMEOUT).toBe(1);
    await home.crash();
    probe.outcome = 1;
    await home.start();
    await becomes(id, 'unhealthy');
    await expect.poll(() => probe.running, TIMEOUT).toBe(0);
  });

  it('removes the probe of a killed server, also when it ends before it is killed', async () => {
    home.takeover = lyingAgent({
      'POST /v1/processes/probeleft/signal': (stream) => {
        probe.end(0);
        saying({ error: { code: 'conflict', message: 'it does not run' } }, 409)(stream);
      },
    });
    const id = await start({});
    probe.outcome = 'hang';
    const guest = await home.runtime.running.expect(id).guest();
    const process = { args: ['probe'], env: [], cwd: '/', user: '', terminal: false, stdin: false };
    await guest.launch('probeleft', process, new AbortController().signal);
    await home.crash();
    await home.start();
    const left = async () => {
      const { processes } = await (await home.runtime.running.expect(id).guest()).state();
      return processes.map((each) => each.id);
    };
    await expect.poll(left, TIMEOUT).toEqual(['main']);
  });

  it('forgets a health check probe that could not be started', async () => {
    const id = await start(checked({ Test: ['CMD', 'no-such-program'] }));
    await becomes(id, 'unhealthy');
    home.runtime.store.advance(id, 'pause');
    await expect.poll(() => home.runtime.running.expect(id).probes.size, TIMEOUT).toBe(0);
  });

  it('refuses a health check for a confidential box that does not permit exec', async () => {
    home.trust.rules = [{ pattern: '**', action: 'allowUnsigned', confidential: true }];
    const create = (hostMay: readonly string[]) =>
      home.call('POST', '/containers/create', {
        Image: 'busybox',
        ...checked(),
        Confidential: { Tee: 'simulate', HostMay: hostMay },
      });
    expect(await create([])).toMatchObject({
      status: 403,
      body: { code: 'host-not-permitted', message: expect.stringContaining('health check') },
    });
    expect((await create(['exec'])).status).toBe(201);
  });
});
