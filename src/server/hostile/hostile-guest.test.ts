// A compromised guest whose agent lies in its greeting, its answers and its messages.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROTOCOL } from '../../guest/protocol.ts';
import { TestHome } from '../testing/home.ts';
import { endless, type Lie, lyingAgent, saying, silence } from '../testing/hostile-agent.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const MIB = 2 ** 20;
const MOST_MEMORY = 400 * MIB;
const MINUTE = ['sleep', 'infinity'];
const SIMULATE = { Confidential: { Tee: 'simulate' } };
const WITH_SECRET = {
  Confidential: { Tee: 'simulate', Secrets: [{ Name: 'token', AllowAnyInjector: true }] },
};
const HELLO = {
  protocol: { minimum: 1, maximum: 3 },
  ...{ agent: 'x', kernel: 'x', bootId: 'x', tee: 'simulated' },
};
/** Control characters that clear the screen, set colours, reverse text and break lines. */
const ESCAPES = 'a\u001b[2J\u001b]0;title\u0007\u009b31m\r\nFORGED\u2028b\u202ec\u0000';
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

let home: TestHome;
let other: string;
beforeEach(async () => {
  home = new TestHome();
  home.trust.rules = [allowConfidential('**')];
  await home.startOn({ ...home.config, startTimeoutMs: 3000 });
  other = await home.create(MINUTE);
  expect((await start(other)).status).toBe(204);
});
afterEach(async () => {
  await expectOtherBoxWorks();
  await home.remove();
});

const start = (id: string) => home.call('POST', `/containers/${id}/start`);

async function expectOtherBoxWorks(): Promise<void> {
  const created = await home.call('POST', `/containers/${other}/exec`, { Cmd: ['true'] });
  const { Id } = created.body as { Id: string };
  const { status } = await home.call('POST', `/exec/${Id}/start`, { Detach: true });
  expect(status).toBe(200);
}

/** A box whose guest gives these answers. */
async function lying(
  lies: Readonly<Record<string, Lie>>,
  more: Record<string, unknown> = SIMULATE,
  args: readonly string[] = MINUTE,
): Promise<string> {
  home.takeover = lyingAgent(lies);
  return await home.create(args, more);
}

interface Inspected {
  readonly State: { readonly Status: string; readonly Error: string; readonly ExitCode: number };
}

async function inspect(id: string): Promise<Inspected> {
  return (await home.call('GET', `/containers/${id}/json`)).body as Inspected;
}

async function listed(id: string): Promise<unknown> {
  const { body } = await home.call('GET', '/containers/json?all=1');
  return (body as { readonly Id: string }[]).find((each) => each.Id === id);
}

/** Every string in a document, at any depth. */
function textsOf(document: unknown): string[] {
  const texts: string[] = [];
  JSON.stringify(document, (key, value: unknown) => {
    texts.push(key);
    if (typeof value === 'string') texts.push(value);
    return value;
  });
  return texts;
}

describe('a greeting of the agent', () => {
  it.each<[string, unknown, string]>([
    ['that knows no processor', { ...HELLO, tee: undefined }, 'launch-spec-mismatch'],
    ['of another processor', { ...HELLO, tee: 'snp' }, 'launch-spec-mismatch'],
    [
      'of a protocol to come',
      { ...HELLO, protocol: { minimum: PROTOCOL.maximum + 1, maximum: 2 ** 31 } },
      'agent-failed',
    ],
    ['of no protocol at all', { ...HELLO, protocol: { minimum: 3, maximum: 1 } }, 'agent-failed'],
    ['of a processor that there is not', { ...HELLO, tee: ESCAPES }, 'agent-timeout'],
    ['that is too long', { ...HELLO, agent: 'x'.repeat(100_000) }, 'agent-timeout'],
    ['that is none', '[[[['.repeat(10_000), 'agent-timeout'],
  ])('ends the start of a box on a greeting %s', async (_, greeting, code) => {
    const id = await lying({ 'GET /v1/hello': saying(greeting) });
    expect(await start(id)).toMatchObject({ status: 500, body: { code } });
    expect(home.host.vm(id)?.running).toBe(false);
  });

  it.each<[string, Lie]>([
    ['that never comes', silence],
    ['that never ends', endless],
    ['that is a reset', (stream) => stream.close(2)],
  ])('waits for a greeting %s until the start timeout', async (_, lie) => {
    const id = await lying({ 'GET /v1/hello': lie });
    expect(await start(id)).toMatchObject({ status: 500, body: { code: 'agent-timeout' } });
    expect(home.host.vm(id)?.running).toBe(false);
  });

  it('removes control characters from the agent’s version in an error', async () => {
    const protocol = { minimum: PROTOCOL.maximum + 1, maximum: PROTOCOL.maximum + 1 };
    const id = await lying({ 'GET /v1/hello': saying({ ...HELLO, agent: ESCAPES, protocol }) });
    const { body } = await start(id);
    expect(body).toMatchObject({ code: 'agent-failed' });
    for (const text of textsOf(body)) expect(text).not.toMatch(OBEYED);
  });

  it('ignores the processor in the greeting for a plain box', async () => {
    const id = await lying({ 'GET /v1/hello': saying(HELLO) }, {});
    expect((await start(id)).status).toBe(204);
    expect(await inspect(id)).toMatchObject({ Confidential: null });
  });
});

describe('an answer to the launch spec', () => {
  const taken = { specDigest: 'f'.repeat(64), instance: '0'.repeat(32) };

  it.each<[string, Lie, string]>([
    ['with another digest', saying(taken), 'launch-spec-mismatch'],
    ['with an instance that is none', saying({ ...taken, instance: ESCAPES }), 'agent-failed'],
    ['that is empty', saying('', 204), 'agent-failed'],
    ['of 64 MiB', saying('x'.repeat(64 * MIB)), 'agent-failed'],
    ['that never ends', endless, 'agent-failed'],
    ['that breaks off', (stream) => stream.close(8), 'agent-failed'],
    ['that ends the connection', (stream) => stream.session?.destroy(), 'agent-failed'],
    ['with a status that is none', saying(taken, 599), 'agent-failed'],
    [
      'with a code that nobody knows',
      saying({ error: { code: '__proto__', message: ESCAPES } }, 500),
      'agent-failed',
    ],
    [
      'with the host’s own code',
      saying({ error: { code: 'image-untrusted', message: 'x' } }, 403),
      'agent-failed',
    ],
    [
      'with a refusal that a terminal would obey',
      saying({ error: { code: 'launch-spec-mismatch', message: ESCAPES } }, 403),
      'launch-spec-mismatch',
    ],
  ])('ends the start and the microVM on a launch spec answer %s', async (_, lie, code) => {
    const id = await lying({ 'PUT /v1/launch-spec': lie });
    const { status, body } = await start(id);
    expect({ status, body }).toMatchObject({ status: 500, body: { code } });
    expect(home.host.vm(id)?.running).toBe(false);
    for (const text of textsOf([body, await inspect(id), await listed(id)])) {
      expect(text).not.toMatch(OBEYED);
    }
  });

  it('stops the server while a launch spec is not answered', async () => {
    let asked: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const id = await lying({
      'PUT /v1/launch-spec': (stream) => {
        silence(stream);
        asked();
      },
    });
    const starting = start(id).catch(() => undefined);
    await arrived;
    await home.stop();
    await starting;
    home.takeover = undefined;
    await home.start();
    await expect.poll(async () => (await inspect(id)).State.Status).toBe('created');
    expect(home.host.vm(id)?.running).toBe(false);
    expect((await start(id)).status).toBe(204);
  });
});

describe('the state of secrets', () => {
  it('polls secrets at a limited rate, and ignores forged names', async () => {
    let asked = 0;
    const id = await lying(
      {
        'GET /v1/secrets': (stream) => {
          asked += 1;
          const names = ['token', '../../etc/passwd', ESCAPES.slice(0, 60)];
          const secrets = names.map((name) => ({ name, delivered: name !== 'token' }));
          saying({ version: asked, state: 'waiting', secrets })(stream);
        },
      },
      WITH_SECRET,
    );
    expect((await start(id)).status).toBe(204);
    const { generation } = home.runtime.store.expect(id);
    const began = performance.now();
    await expect.poll(() => asked, { timeout: 20_000 }).toBeGreaterThan(5);
    expect(asked).toBeLessThan(2 + (performance.now() - began) / 90);
    const box = home.runtime.store.expect(id);
    expect(box.generation).toBe(generation);
    expect(box.state.launch?.secrets).toEqual({ state: 'waiting', delivered: [] });
  });

  it.each<[string, Lie]>([
    ['that never come', silence],
    ['that never end', endless],
    ['with a version that goes backwards', saying({ version: -1, state: 'ready', secrets: [] })],
    ['of 65 secrets', saying({ version: 1, state: 'ready', secrets: Array(65).fill({}) })],
    ['that are a reset', (stream) => stream.close(2)],
  ])('ignores secret states %s, and stops the box', async (_, lie) => {
    const id = await lying({ 'GET /v1/secrets': lie }, WITH_SECRET);
    expect((await start(id)).status).toBe(204);
    await expectOtherBoxWorks();
    expect(home.runtime.store.expect(id).state.launch?.secrets.state).toBe('waiting');
    expect((await home.call('POST', `/containers/${id}/stop?t=0`)).status).toBe(204);
    expect(home.host.vm(id)?.running).toBe(false);
  });
});

describe('the end of the main process', () => {
  const exit = {
    ...{ exitCode: 7, signal: null, oomKilled: false },
    finishedAt: '2026-01-01T00:00:00Z',
  };
  const ends = (id: string) =>
    expect.poll(async () => (await inspect(id)).State.Status, { timeout: 10_000 }).toBe('exited');

  it('removes control characters from the guest’s error', async () => {
    const error = { code: 'setup-failed', message: ESCAPES };
    const id = await lying({ 'GET /v1/processes/main/ended': saying({ ...exit, error }) });
    expect((await start(id)).status).toBe(204);
    await ends(id);
    const shown = [await inspect(id), await listed(id)];
    expect(shown[0]).toMatchObject({ State: { Error: 'a [2J ]0;title 31m FORGED b c' } });
    for (const text of textsOf(shown)) expect(text).not.toMatch(OBEYED);
  });

  it('truncates a long error of the guest', async () => {
    const error = { code: 'setup-failed', message: 'x'.repeat(4096) };
    const id = await lying({ 'GET /v1/processes/main/ended': saying({ ...exit, error }) });
    await start(id);
    await ends(id);
    expect((await inspect(id)).State).toMatchObject({ ExitCode: 7, Error: `${'x'.repeat(1024)}…` });
  });

  it.each<[string, Lie]>([
    [
      'with an error of 60 kB',
      saying({ ...exit, error: { code: 'x', message: 'x'.repeat(60_000) } }),
    ],
    ['with a signal that a terminal obeys', saying({ ...exit, signal: '\u001b[31m' })],
    ['with another code than there is', saying({ ...exit, exitCode: -1 })],
    ['without end', endless],
  ])('ignores an exit report %s', async (_, lie) => {
    const id = await lying({ 'GET /v1/processes/main/ended': lie });
    expect((await start(id)).status).toBe(204);
    await expectOtherBoxWorks();
    expect((await inspect(id)).State).toMatchObject({ Status: 'running', Error: '' });
    home.host.vm(id)?.crash();
    await ends(id);
    expect((await inspect(id)).State.ExitCode).toBe(137);
  });
});

it('stops reading malformed output of a guest, in bounded memory', async () => {
  const before = process.memoryUsage().rss;
  const id = await lying(
    { 'POST /v1/processes/main/output': endless },
    { Confidential: { Tee: 'simulate', HostMay: ['logs'] } },
  );
  expect((await start(id)).status).toBe(204);
  for (let n = 0; n < 20; n += 1) await expectOtherBoxWorks();
  expect(process.memoryUsage().rss - before).toBeLessThan(MOST_MEMORY);
  expect((await home.call('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
});

it('ends the microVM of a guest that refuses to stop the box', async () => {
  const id = await lying({
    'POST /v1/processes/main/signal': saying({ error: { code: 'conflict', message: 'no' } }, 409),
    'POST /v1/poweroff': saying({ error: { code: 'conflict', message: 'no' } }, 409),
  });
  expect((await start(id)).status).toBe(204);
  expect((await home.call('POST', `/containers/${id}/stop?t=0`)).status).toBe(204);
  expect((await inspect(id)).State.Status).toBe('exited');
  expect(home.host.vm(id)?.running).toBe(false);
}, 60_000);
