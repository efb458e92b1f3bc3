// What the host may do with a box is in its launch spec. The server says so before anything
// changes; the agent says so to a host that asks it directly.

import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { A3sError } from '../../../src/errors.ts';
import type { Guest } from '../../../src/guest/guest.ts';
import { ACTORS } from '../actor.ts';
import { scaled } from '../time-scale.ts';
import { BoxHost } from './boxes.ts';

const SCRIPT = ['sh', '-c', 'trap : USR1; echo said; while :; do sleep 1; done'];
const RUN = { env: ['PATH=/bin'], cwd: '/', user: '', terminal: false, stdin: false };

/**
 * Boxes by their names. Nothing needs `files` yet, so that is the one in which everything is
 * denied. Each permission by itself, against every route of the agent: TestPermissions in
 * native/agent/server.
 */
const PERMISSIONS = { files: 'files', all: 'attach,exec,logs,signals,stats' } as const;
const BOXES = Object.keys(PERMISSIONS) as readonly (keyof typeof PERMISSIONS)[];

let host: BoxHost;
const ids = new Map<string, string>();

beforeAll(async () => {
  host = await BoxHost.open(ACTORS[0] ?? 'ordinary user');
  for (const name of BOXES) {
    await host.run(name, ['--memory', '192m', '--host-may', PERMISSIONS[name]], SCRIPT);
    ids.set(name, (await host.inspect(name)).Id);
  }
});
afterAll(() => host?.leave());

describe('the server', () => {
  const DENIED: Readonly<Record<string, readonly string[]>> = {
    exec: ['exec', 'files', 'true'],
    'exec -t': ['exec', '-t', 'files', 'true'],
    logs: ['logs', 'files'],
    'logs --follow': ['logs', '--follow', 'files'],
    attach: ['attach', 'files'],
    'kill with a signal that does not end it': ['kill', '--signal', 'USR1', 'files'],
  };

  it('the server refuses what the launch spec denies, and the box is unaffected', async () => {
    const before = await host.inspect('files');
    for (const [name, args] of Object.entries(DENIED)) {
      const { code, stdout, stderr } = await host.actor.run(args);
      expect({ stdout, stderr }, name).toEqual({
        stdout: '',
        stderr: expect.stringContaining('(host-not-permitted)'),
      });
      expect(code, name).not.toBe(0);
    }
    expect(await host.inspect('files')).toEqual(before);
  });

  it('the server refuses API calls that the launch spec denies', async () => {
    const box = '/v1.44/containers/files';
    const refused = { status: 403, code: 'host-not-permitted' };
    const run = { Cmd: ['true'], AttachStdout: true };
    expect(await host.api('POST', `${box}/exec`, run)).toEqual(refused);
    expect(await host.api('POST', `${box}/exec`, { ...run, Tty: true })).toEqual(refused);
    for (const [method, path] of [
      ['GET', 'logs?stdout=1'],
      ['GET', 'logs?stdout=1&follow=1'],
      ['POST', 'attach?stream=1&stdout=1'],
      ['POST', 'attach?logs=1&stdout=1'],
      ['POST', 'kill?signal=USR1'],
      ['POST', 'resize?h=10&w=10'],
      ['GET', 'top'],
      ['GET', 'stats?stream=0'],
      ['POST', 'pause'],
      ['POST', 'unpause'],
    ] as const) {
      expect(await host.api(method, `${box}/${path}`), path).toEqual(refused);
    }
  });

  it('the server offers no access to the files of a confidential box', async () => {
    const box = '/v1.44/containers/files';
    for (const [method, path] of [
      ['GET', 'archive?path=/'],
      ['PUT', 'archive?path=/'],
      ['GET', 'export'],
      ['GET', 'changes'],
    ] as const) {
      expect(await host.api(method, `${box}/${path}`), path).toMatchObject({ status: 403 });
    }
    const copied = await host.actor.run(['snapshot', 'create', 'files']);
    expect(copied).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('(unsupported-option)'),
    });
    expect((await host.inspect('files')).State.Status).toBe('running');
  });

  it('the server does what the launch spec permits', async () => {
    expect(await host.actor.ok(['exec', 'all', 'echo', 'here'])).toBe('here');
    expect(await host.actor.ok(['logs', 'all'])).toBe('said');
    await host.actor.ok(['kill', '--signal', 'USR1', 'all']);
    expect(await host.api('POST', '/v1.44/containers/all/resize?h=10&w=10')).not.toMatchObject({
      code: 'host-not-permitted',
    });
    for (const name of BOXES) expect((await host.inspect(name)).State.Status).toBe('running');
  });
});

/** Every route of the agent that gives the host something. */
const ROUTES: Readonly<Record<string, (guest: Guest) => Promise<unknown>>> = {
  exec: (guest) => guest.startProcess('one', { ...RUN, args: ['true'] }),
  'exec -t': (guest) => guest.startProcess('two', { ...RUN, terminal: true, args: ['true'] }),
  output: async (guest) => (await guest.output('main', 0)).close(),
  input: async (guest) => {
    await finished(guest.stdin('main').end('typed'));
  },
  resize: (guest) => guest.resize('main', { rows: 10, columns: 10 }),
  signal: (guest) => guest.signal('main', 'SIGUSR1'),
  'signal by number': (guest) => guest.signal('main', '10'),
  stats: (guest) => guest.stats(),
  top: (guest) => guest.top(),
  'state of another process': (guest) => guest.process('other'),
  'exit of another process': (guest) => guest.exit('other', AbortSignal.timeout(scaled(60_000))),
  'end of another process, its output aside': (guest) =>
    guest.ended('other', AbortSignal.timeout(scaled(60_000))),
  'signal to another process': (guest) => guest.signal('other', 'SIGKILL'),
  'output of another process': async (guest) => (await guest.output('other', 0)).close(),
  'end of another process': (guest) => guest.forget('other'),
  freeze: (guest) => guest.freeze(),
  thaw: (guest) => guest.thaw(),
};

const OPENED: Readonly<Record<keyof typeof PERMISSIONS, readonly string[]>> = {
  files: [],
  all: Object.keys(ROUTES),
};

/** The routes that are made copies with, and the spec of a plain box. */
const PLAIN: Readonly<Record<string, (guest: Guest) => Promise<unknown>>> = {
  prepare: (guest) => guest.prepare(),
  resources: (guest) => guest.putResources({}),
  spec: (guest) => guest.putSpec({ mounts: [] } as never),
};

async function codeOf(asked: Promise<unknown>): Promise<string> {
  const error = await asked.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error === undefined) return 'done';
  if (error instanceof A3sError) return error.code;
  throw error;
}

describe('the agent, behind the back of the server', () => {
  beforeAll(() => host.killServer());

  it.each(BOXES)('the agent permits with %s exactly the matching requests', async (name) => {
    const guest = await host.guest(ids.get(name) ?? '');
    try {
      const opened: string[] = [];
      for (const [route, ask] of Object.entries(ROUTES)) {
        if ((await codeOf(ask(guest))) !== 'host-not-permitted') opened.push(route);
      }
      expect(opened.sort()).toEqual([...OPENED[name]].sort());
      for (const [route, ask] of Object.entries(PLAIN)) {
        expect(await codeOf(ask(guest)), route).toBe('no-such-exec');
      }
      const { processes } = await guest.state();
      expect(processes.find(({ id }) => id === 'main')?.state).toBe('running');
    } finally {
      guest.close();
    }
  });

  it('the agent refuses another launch spec that would permit more', async () => {
    const guest = await host.guest(ids.get('all') ?? '');
    expect(await codeOf(guest.putLaunchSpec('{}'))).not.toBe('done');
    guest.close();
  });

  it('the agent lets the host end the box, whatever the launch spec says', async () => {
    const guest = await host.guest(ids.get('files') ?? '');
    const exit = guest.exit('main', AbortSignal.timeout(scaled(60_000)));
    await guest.signal('main', 'SIGKILL');
    expect(await exit).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
    guest.close();
  });
});
