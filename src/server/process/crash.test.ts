import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BoxEvent } from '../../boxes/record/states.ts';
import { TestHome } from '../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

/** The server dies before or after the next `event` is recorded. */
function dieAt(event: BoxEvent | 'deleted', when: 'before' | 'after'): Promise<void> {
  const store = home.runtime.store;
  return new Promise((died) => {
    const around = <T>(step: () => T): T => {
      if (when === 'after') step();
      died(home.crash());
      throw new Error('the server is dead');
    };
    const advance = store.advance.bind(store);
    const remove = store.remove.bind(store);
    if (event === 'deleted') store.remove = (id) => around(() => remove(id));
    else {
      store.advance = (id, happened, change) =>
        happened === event
          ? around(() => advance(id, happened, change))
          : advance(id, happened, change);
    }
  });
}

async function status(id: string): Promise<unknown> {
  const { status: code, body } = await home.call('GET', `/containers/${id}/json`);
  return code === 404 ? 'gone' : (body as { State: unknown }).State;
}

async function untilStatus(id: string, expected: object | string): Promise<void> {
  const matcher = typeof expected === 'string' ? expected : expect.objectContaining(expected);
  await expect.poll(() => status(id), { timeout: 10_000 }).toEqual(matcher);
}

function nothingRuns(boxes: readonly string[]): void {
  expect(home.host.running).toEqual([]);
  expect(readdirSync(home.config.runtimeDir)).toEqual(['server.sock']);
  expect(readdirSync(join(home.config.home, 'boxes')).sort()).toEqual([...boxes].sort());
}

/** Sends a request that fails if the server dies meanwhile. */
function ask(method: string, path: string): Promise<unknown> {
  return home.call(method, path).catch(() => undefined);
}

describe('a server that dies while a box starts', () => {
  it.each([
    ['start', 'before', 'created'],
    ['start', 'after', 'created'],
    ['started', 'before', 'running'],
    ['started', 'after', 'running'],
  ] as const)(
    'leaves a starting box consistent when the server dies at %s (%s): %s',
    async (event, when, expected) => {
      const id = await home.create(['sleep', 'infinity']);
      const died = dieAt(event, when);
      void ask('POST', `/containers/${id}/start`);
      await died;
      await home.start();
      await untilStatus(id, { Status: expected });
      if (expected === 'created') nothingRuns([id]);
      // The box still starts, stops and can be removed.
      if (expected === 'created') await home.call('POST', `/containers/${id}/start`);
      expect((await home.call('POST', `/containers/${id}/stop`)).status).toBe(204);
      expect((await home.call('DELETE', `/containers/${id}`)).status).toBe(204);
      nothingRuns([]);
    },
  );

  it('ends a microVM that was being launched when the server died', async () => {
    const id = await home.create(['sleep', 'infinity']);
    const open = home.host.holdLaunches();
    void ask('POST', `/containers/${id}/start`);
    await expect.poll(() => home.host.launches.length).toBe(1);
    const died = home.crash();
    open();
    await died;
    // The microVM that the dead server had just spawned.
    const [spec] = home.host.launches;
    if (spec === undefined) throw new Error('nothing was launched');
    await home.host.start(spec, new AbortController().signal);
    await home.start();
    await untilStatus(id, { Status: 'created', ExitCode: 128 });
    nothingRuns([id]);
  });

  it('undoes a launch when the server stops meanwhile', async () => {
    const id = await home.create(['sleep', 'infinity']);
    const open = home.host.holdLaunches();
    void ask('POST', `/containers/${id}/start`);
    await expect.poll(() => home.host.launches.length).toBe(1);
    const stopping = home.stop();
    open();
    await stopping;
    expect(home.host.running).toEqual([]);
    await home.start();
    await untilStatus(id, { Status: 'created', ExitCode: 128 });
    nothingRuns([id]);
  });
});

describe('the writable layer after a power cut', () => {
  const disk = (id: string): string => join(home.config.home, 'boxes', id, 'changes.ext4');

  it('recreates the writable layer of a box that never ran', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.crash();
    writeFileSync(disk(id), '');
    await home.start();
    expect(existsSync(disk(id))).toBe(false);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });

  it('recreates the writable layer of a box whose first start was interrupted', async () => {
    const id = await home.create(['sleep', 'infinity']);
    const open = home.host.holdLaunches();
    void ask('POST', `/containers/${id}/start`);
    await expect.poll(() => home.host.launches.length).toBe(1);
    const died = home.crash();
    open();
    await died;
    writeFileSync(disk(id), '');
    await home.start();
    await untilStatus(id, { Status: 'created' });
    await expect.poll(() => existsSync(disk(id))).toBe(false);
  });

  it('keeps the writable layer of a box that ran', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    await home.call('POST', `/containers/${id}/kill`);
    await untilStatus(id, { Status: 'exited' });
    await home.crash();
    await home.start();
    expect(existsSync(disk(id))).toBe(true);
  });
});

describe('a server that dies while a box ends', () => {
  it.each([
    ['ended', 'before'],
    ['ended', 'after'],
    ['gone', 'before'],
    ['gone', 'after'],
  ] as const)(
    'keeps exit code and output of an ending box when the server dies at %s (%s)',
    async (event, when) => {
      const id = await home.create(['sh', '-c', 'echo last words; exit 42'], { Tty: true });
      const died = dieAt(event, when);
      void ask('POST', `/containers/${id}/start`);
      await died;
      await home.start();
      await untilStatus(id, { Status: 'exited', ExitCode: 42, Error: '' });
      const logs = await home.call('GET', `/containers/${id}/logs?stdout=1`);
      expect(logs.body).toBe('last words\n');
      nothingRuns([id]);
    },
  );

  it.each([
    ['gone', 'after'],
    ['remove', 'before'],
    ['remove', 'after'],
    ['deleted', 'before'],
    ['deleted', 'after'],
  ] as const)(
    'removes a box with --rm although the server dies at %s (%s)',
    async (event, when) => {
      const id = await home.create(['true'], { HostConfig: { AutoRemove: true } });
      const died = dieAt(event, when);
      void ask('POST', `/containers/${id}/start`);
      await died;
      await home.start();
      await untilStatus(id, 'gone');
      nothingRuns([]);
    },
  );

  it('keeps a box with --rm for the client that is about to start it', async () => {
    const id = await home.create(['true'], { HostConfig: { AutoRemove: true } });
    // A server that is killed leaves its socket.
    const socket = join(home.config.runtimeDir, 'of-the-killed');
    writeFileSync(socket, '');
    await home.crash();
    await home.start();
    rmSync(socket);
    expect(await status(id)).toMatchObject({ Status: 'created' });
  });

  it('removes a box with --rm whose run a power cut has taken', async () => {
    const id = await home.create(['true'], { HostConfig: { AutoRemove: true } });
    const other = await home.create(['true']);
    await home.crash();
    rmSync(home.config.runtimeDir, { recursive: true, force: true });
    await home.start();
    expect(await status(id)).toBe('gone');
    nothingRuns([other]);
  });
});

describe('a box that runs while the server dies', () => {
  it('loses no output of a running box over repeated server crashes', async () => {
    const total = 3_000_000;
    const id = await home.create(['bytes', String(total)], { Tty: true });
    await home.call('POST', `/containers/${id}/start`);
    for (let death = 0; death < 5; death += 1) {
      await home.crash();
      await home.start();
      await home.call('GET', `/containers/${id}/json`);
    }
    await untilStatus(id, { Status: 'exited', ExitCode: 0 });
    const log = home.runtime.outputs.of(id);
    let offset = 0;
    for await (const record of log.read(0, undefined, new AbortController().signal)) {
      expect(record.offset).toBe(offset);
      for (const [index, byte] of record.payload.entries()) {
        if (byte !== (offset + index) % 251) expect.fail(`byte ${offset + index} is ${byte}`);
      }
      offset += record.payload.length;
    }
    expect(offset).toBe(total);
  });

  it('keeps the exit code of a box that ends while no server runs', async () => {
    let end: (code: number) => void = () => undefined;
    const code = new Promise<number>((resolve) => {
      end = resolve;
    });
    home.agentOptions = { programs: { told: () => code } };
    const id = await home.create(['told']);
    await home.call('POST', `/containers/${id}/start`);
    await home.crash();
    end(9);
    await code;
    await home.start();
    await untilStatus(id, { Status: 'exited', ExitCode: 9 });
  });

  it('reports exit code 137 for a box that lost its microVM while no server ran', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    await home.crash();
    home.host.vm(id)?.crash();
    await home.start();
    await untilStatus(id, {
      Status: 'exited',
      ExitCode: 137,
      Error: expect.stringMatching(/gone/),
    });
    nothingRuns([id]);
  });

  it('accepts execs, signals and input for an adopted box', async () => {
    const id = await home.create(['cat'], { OpenStdin: true, Tty: true });
    await home.call('POST', `/containers/${id}/start`);
    await home.crash();
    await home.start();
    const exec = await home.call('POST', `/containers/${id}/exec`, {
      ...{ Cmd: ['echo', 'again'], AttachStdout: true, Tty: true },
    });
    const { Id } = exec.body as { Id: string };
    const started = await home.call('POST', `/exec/${Id}/start`, { Tty: true });
    expect(started.body).toBe('again\n');
    expect((await home.call('POST', `/containers/${id}/stop?t=5`)).status).toBe(204);
    await untilStatus(id, { Status: 'exited', ExitCode: 143 });
  });

  it('keeps a box running when its server stops', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    expect((await home.call('POST', '/a3s/v1/server/stop')).status).toBe(202);
    await home.stop();
    expect(readdirSync(home.config.runtimeDir)).toEqual([id.slice(0, 12)]);
    expect(home.host.running).toHaveLength(1);
    await home.start();
    await untilStatus(id, { Status: 'running' });
  });
});

describe('a server that starts', () => {
  it('starts a box that never ran although its directory is missing', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.crash();
    rmSync(join(home.config.home, 'boxes', id), { recursive: true });
    await home.start();
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  });

  it('refuses to start a second server for a home', async () => {
    const second = new TestHome();
    await expect(second.startOn(home.config)).rejects.toMatchObject({ code: 'server-running' });
    rmSync(join(second.config.home, '..'), { recursive: true });
    expect((await home.call('GET', '/_ping')).status).toBe(200);
  });

  it('replaces the socket of a dead server', async () => {
    await home.stop();
    const { runtimeDir, socket } = home.config;
    mkdirSync(runtimeDir, { recursive: true });
    const program = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', program, socket]).signal).toBe('SIGKILL');
    expect(lstatSync(socket).isSocket()).toBe(true);
    await home.start();
    expect((await home.call('GET', '/_ping')).status).toBe(200);
  });

  it.each([
    ['a file', (path: string) => writeFileSync(path, '')],
    ['a link', (path: string) => symlinkSync('/tmp', path)],
  ])('refuses %s in place of the runtime directory', async (_, make) => {
    await home.stop();
    make(home.config.runtimeDir);
    await expect(home.start()).rejects.toMatchObject({ code: 'state-unusable' });
    rmSync(home.config.runtimeDir);
    await home.start();
  });

  it('refuses a home without its records, and deletes none of its files', async () => {
    const id = await home.create(['true']);
    await home.stop();
    const { home: directory } = home.config;
    const image = join(directory, 'images', 'blobs', 'sha256');
    mkdirSync(image, { recursive: true });
    writeFileSync(join(image, 'a'), '');
    renameSync(join(directory, 'state.db'), join(directory, 'saved'));
    const refused = { code: 'state-unusable', remedy: expect.stringMatching(/whole directory/) };
    await expect(home.start()).rejects.toMatchObject(refused);
    await expect(home.start()).rejects.toMatchObject(refused);
    expect(readdirSync(join(directory, 'boxes'))).toEqual([id]);
    expect(readdirSync(image)).toEqual(['a']);
    renameSync(join(directory, 'saved'), join(directory, 'state.db'));
    await home.start();
    await untilStatus(id, { Status: 'created' });
  });

  it('lets no other user into the home', async () => {
    await home.create(['true'], { Env: ['SECRET=hidden'] });
    const { home: directory } = home.config;
    for (const path of [directory, join(directory, 'boxes')]) {
      expect(lstatSync(path).mode & 0o077).toBe(0);
    }
  });

  it('removes directories without a record', async () => {
    await home.stop();
    mkdirSync(join(home.config.home, 'boxes', 'f'.repeat(64)));
    mkdirSync(join(home.config.runtimeDir, 'f'.repeat(12)), { recursive: true });
    await home.start();
    nothingRuns([]);
  });
});
