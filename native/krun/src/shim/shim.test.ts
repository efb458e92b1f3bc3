import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LIBRARY_VARIABLE } from '../find-library.ts';
import { bundleShim, CONSOLE_DESCRIPTOR, ShimProcess, smallest } from '../testing/shim-process.ts';
import { type LibraryBehaviour, TestLibraries } from '../testing/test-library.ts';
import { neededFunctions } from './configure.ts';
import { CONSOLE_BYTES } from './console-file.ts';
import type { ShimDescription } from './description.ts';

/** A server: starts a monitor with the descriptors that it inherited, and waits for it. */
const SERVER = `
  const [path, ...args] = process.argv.slice(1);
  const stdio = ['ignore', 'ignore', 'pipe', 3, 4, 5, 6];
  const monitor = require('child_process').spawn(path, args, { stdio, detached: true });
  require('fs').writeFileSync(args.at(-1) + '/monitor', String(monitor.pid));
`;

/** The library of `npm run test:krun -- --library`: it is asked too, where no microVM runs. */
const named = process.env[LIBRARY_VARIABLE] ?? '';
const SUBJECTS = ['the test library', ...(named === '' ? [] : [named])];

let libraries: TestLibraries;
let shim: string;
let library: string;
let directory: string;
let running: ShimProcess | undefined;

beforeAll(async () => {
  libraries = new TestLibraries();
  shim = await bundleShim(libraries.directory);
  library = libraries.build({ vhostUser: true });
});

beforeEach(() => {
  directory = mkdtempSync(join(libraries.directory, 'box-'));
  libraries.openToAll(directory);
});

afterEach(() => {
  running?.kill();
  running = undefined;
  rmSync(directory, { recursive: true });
});

afterAll(() => {
  libraries[Symbol.dispose]();
});

function start(description: unknown, behaviour: LibraryBehaviour): ShimProcess {
  const environment = libraries.environment(behaviour);
  running = ShimProcess.start(description, { shim, directory, environment });
  return running;
}

describe('the shim', () => {
  it('configures the microVM that is described, and leaves nothing to defaults', async () => {
    const description: ShimDescription = {
      ...smallest(library, libraries.kernelPath),
      vcpus: 2,
      memoryMib: 512,
      disks: [{ id: 'layer-0', path: '/dev/null', format: 'raw', readonly: true }],
      shares: [{ tag: 'bind-0', socket: '/run/fs0.sock' }],
      networkDevices: [{ kind: 'stream-path', path: '/run/passt.sock', mac: '02:00:00:00:00:2a' }],
      ports: [{ port: 1024, path: join(directory, 'ctl.sock'), listen: true }],
      console: { device: 'serial', file: CONSOLE_DESCRIPTOR },
    };
    expect(await start(description, { run: 'exit:0' }).ended()).toBe(0);
    const [asked, ...others] = libraries.takeRecord();
    // Whether it was compiled with VHOST_USER=1.
    expect(asked).toMatchObject({ call: 'krun_add_vhost_user_device', result: -22 });
    const calls = others.filter(({ call }) => !/feature|max_vcpus/.test(call));
    // A library without the log is good enough.
    const needed = ['krun_init_log', ...neededFunctions(description)];
    expect(needed).toEqual(expect.arrayContaining(calls.map(({ call }) => call)));
    expect(calls.map(({ call, arguments: [id, ...rest] }) => [call, id ?? 0, ...rest])).toEqual([
      ['krun_init_log', 2, 1, 2, 1],
      ['krun_create_ctx', 0],
      ['krun_set_vm_config', 0, 2, 512],
      ['krun_set_kernel', 0, libraries.kernelPath, 1, null, 'quiet'],
      ['krun_add_disk3', 0, 'layer-0', '/dev/null', 0, true, false, 2],
      ['krun_add_vhost_user_device', 0, 26, '/run/fs0.sock', 'bind-0', 2, '80008000'],
      ['krun_add_net_unixstream', 0, '/run/passt.sock', -1, '02000000002a', 0x4c83, 0],
      ['krun_disable_implicit_vsock', 0],
      ['krun_add_vsock', 0, 0],
      ['krun_add_vsock_port2', 0, 1024, join(directory, 'ctl.sock'), true],
      ['krun_disable_implicit_console', 0],
      ['krun_add_serial_console_default', 0, expect.any(Number), expect.any(Number)],
      ['krun_get_shutdown_eventfd', 0],
      ['krun_start_enter', 0],
    ]);
  });

  it.each([
    ['exits', 'exit:7', 7],
    ['is killed by a signal', 'signal:11', 139],
  ])('leaves its exit status in the record when the microVM %s', async (_, run, status) => {
    const process = start(smallest(library, libraries.kernelPath), { run });
    expect(await process.ended()).toBe(status);
    expect(process.record).toMatchObject({ status, failed: undefined });
    expect(process.record.entering).toMatchObject({ library, atLeast: '1.19.0' });
  });

  it('leaves its exit status for a server that did not start it', async () => {
    const environment = libraries.environment({ run: 'wait' });
    const startedBy = [global.process.execPath, '-e', SERVER];
    const server = ShimProcess.start(smallest(library, libraries.kernelPath), {
      ...{ shim, directory, environment, startedBy },
    });
    await server.entered();
    const monitor = Number(readFileSync(join(directory, 'monitor'), 'utf8'));
    const [pid = ''] = readFileSync(`/proc/${monitor}/task/${monitor}/children`, 'utf8').split(' ');
    server.monitor.kill('SIGKILL');
    await server.ended();
    expect(server.record.status).toBeUndefined();
    global.process.kill(Number(pid), 'SIGKILL');
    while (server.record.status === undefined) await delay(20);
    expect(server.record.status).toBe(137);
  });

  it('does not have the file of its exit status open', async () => {
    const process = start(smallest(library, libraries.kernelPath), { run: 'wait' });
    await process.entered();
    const open = readdirSync(`/proc/${process.shimPid}/fd`).map((fd) =>
      readlinkSync(`/proc/${process.shimPid}/fd/${fd}`),
    );
    expect(open).toContain(process.recordPath);
    expect(open).not.toContain(process.statusPath);
  });

  it('leaves its exit status when its own record has no room', async () => {
    writeFileSync(join(directory, 'run'), 'x'.repeat(64 * 1024));
    const environment = libraries.environment({ run: 'exit:0' });
    const startedBy = ['prlimit', '--fsize=65536'];
    running = ShimProcess.start(smallest(library, libraries.kernelPath), {
      shim,
      directory,
      environment,
      startedBy,
    });
    expect(await running.ended()).toBe(1);
    expect(running.record).toEqual({ entering: undefined, failed: undefined, status: 1 });
  });

  it('asks the guest to shut down at SIGTERM', async () => {
    const process = start(smallest(library, libraries.kernelPath), { run: 'wait', shutdown: true });
    expect(await process.entered()).toMatchObject({ shutdown: true });
    global.process.kill(process.shimPid, 'SIGTERM');
    expect(await process.ended()).toBe(0);
    expect(process.record.status).toBe(0);
  });

  it('keeps the guest running at SIGTERM where libkrun cannot ask it', async () => {
    const path = join(directory, 'ctl.sock');
    const description = {
      ...smallest(library, libraries.kernelPath),
      ports: [{ port: 1024, path, listen: true }],
    };
    const process = start(description, { run: 'wait' });
    expect(await process.entered()).toMatchObject({ shutdown: false });
    global.process.kill(process.shimPid, 'SIGTERM');
    while (!process.errors.includes('cannot ask the guest') || !existsSync(path)) await delay(20);
    expect(await echoed(path, 'still there')).toBe('still there');
    expect(process.record.status).toBeUndefined();
  });

  it('reads a console that its file does not take, and still asks the guest to shut down', async () => {
    const path = join(directory, 'ctl.sock');
    const behaviour = { run: 'wait', shutdown: true, consoleBytes: 4 * CONSOLE_BYTES };
    const environment = libraries.environment(behaviour);
    const files = { shim, directory, environment, console: '/dev/full' };
    const process = ShimProcess.start(withConsole(path), files);
    running = process;
    await process.entered();
    // The guest listens once it has written more than a pipe holds.
    while (!existsSync(path)) await delay(20);
    global.process.kill(process.shimPid, 'SIGTERM');
    expect(await process.ended()).toBe(0);
    expect(process.errors).toBe('');
  });

  it('goes on with the console after a SIGTERM when standard error has no reader', async () => {
    const path = join(directory, 'ctl.sock');
    const process = start(withConsole(path), { run: 'wait' });
    await process.entered();
    process.monitor.stderr?.destroy();
    while (!existsSync(path)) await delay(20);
    // A signal and bytes that arrive at once are answered in any order: the third round shows that
    // the first signal did no harm.
    for (const round of ['first', 'second', 'third']) {
      global.process.kill(process.shimPid, 'SIGTERM');
      expect(await echoed(path, round)).toBe(round);
      while (!process.console.includes(round)) await delay(20);
    }
    expect(process.record.status).toBeUndefined();
  });

  it('keeps the last bytes of a console that does not end', async () => {
    const console = { device: 'virtio', file: CONSOLE_DESCRIPTOR } as const;
    const lines = 100_000;
    const behaviour = { run: 'wait', shutdown: true, consoleBytes: lines * 10 };
    const process = start({ ...smallest(library, libraries.kernelPath), console }, behaviour);
    const last = `${String(lines - 1).padStart(9, '0')}\n`;
    while (!process.console.endsWith(last)) await delay(20);
    expect(process.console.length).toBeGreaterThanOrEqual(CONSOLE_BYTES);
    expect(statSync(process.consolePath).size).toBeLessThanOrEqual(2 * CONSOLE_BYTES);
  });

  it('runs as the identity that is described, and can gain no rights', async () => {
    const process = start(smallest(library, libraries.kernelPath), { run: 'wait' });
    await process.entered();
    const status = readFileSync(`/proc/${process.shimPid}/status`, 'utf8');
    const { identity } = smallest(library, libraries.kernelPath);
    const uid = identity?.uid ?? global.process.getuid?.();
    expect(status).toMatch(new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
    const tasks = `/proc/${process.shimPid}/task`;
    for (const id of readdirSync(tasks)) {
      const thread = readFileSync(`${tasks}/${id}/status`, 'utf8');
      expect(thread).toMatch(/^CapEff:\t0{16}$/m);
      expect(thread).toMatch(/^CapPrm:\t0{16}$/m);
      expect(thread).toMatch(/^NoNewPrivs:\t1$/m);
    }
    // Nobody but root reads its memory, not even another process of its user.
    expect(statSync(`/proc/${process.shimPid}/mem`).uid).toBe(0);
    if (identity !== undefined) expect(status).toMatch(/^Groups:\t\s*$/m);
  });

  it('takes little memory of its own', async () => {
    const process = start(smallest(library, libraries.kernelPath), { run: 'wait' });
    await process.entered();
    const status = readFileSync(`/proc/${process.shimPid}/status`, 'utf8');
    const anonymous = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]);
    // 10 MB when this was written, and 4 MB of stack that the test library touches. The program's
    // text is shared with the server.
    expect(anonymous).toBeLessThan(20 * 1024);
  });
});

describe('a shim that cannot start', () => {
  it.each([
    ['a document that is no JSON', () => '{"library": "/secret', 'it is no JSON'],
    [
      'an unknown member',
      () => ({ ...smallest(library, libraries.kernelPath), extra: 1 }),
      'wrong or unknown: document',
    ],
    [
      "a console that is the monitor's file",
      () => ({
        ...smallest(library, libraries.kernelPath),
        console: { device: 'virtio', file: 5 },
      }),
      'wrong or unknown: console.file',
    ],
    [
      'wrong members',
      () => ({ ...smallest(library, libraries.kernelPath), vcpus: 0, disks: [{ id: '' }] }),
      'wrong or unknown: vcpus, disks.0.id, disks.0.path, disks.0.format, disks.0.readonly',
    ],
  ])('refuses %s before it calls libkrun', async (_, description, message) => {
    libraries.takeRecord();
    const process = start(description(), { run: 'exit:0' });
    expect(await process.ended()).toBe(1);
    expect(process.record).toMatchObject({
      failed: {
        code: 'krun-description',
        message: `Cannot read the description: ${message}`,
      },
      status: 1,
    });
    expect(libraries.takeRecord()).toEqual([]);
  });

  it('names what the library lacks before it makes a context', async () => {
    libraries.takeRecord();
    const process = start(smallest(libraries.build({ release: 11600 }), libraries.kernelPath), {
      run: 'exit:0',
    });
    await process.ended();
    expect(process.record.failed?.message).toMatch(/has no krun_disable_implicit_vsock/);
    expect(libraries.takeRecord().map(({ call }) => call)).not.toContain('krun_create_ctx');
  });

  it('says which error libkrun returned from its start', async () => {
    const process = start(smallest(library, libraries.kernelPath), { run: 'return:22' });
    expect(await process.ended()).toBe(1);
    expect(process.record).toMatchObject({
      failed: {
        code: 'krun-refused',
        message: expect.stringContaining('krun_start_enter: EINVAL'),
      },
      status: 1,
    });
  });

  it('refuses to run when a thread of it could gain rights', async () => {
    // Passes over the shell and its script, so that nothing forbids new rights.
    const startedBy = ['/bin/sh', '-c', 'shift 4; exec "$@"', 'sh'];
    const environment = libraries.environment({ run: 'exit:0' });
    running = ShimProcess.start(smallest(library, libraries.kernelPath), {
      shim,
      directory,
      environment,
      startedBy,
    });
    expect(await running.ended()).toBe(1);
    expect(running.record.failed?.message).toContain('a thread could gain rights');
  });

  // Only root has rights to give up.
  if (global.process.geteuid?.() === 0) {
    it('refuses to keep supplementary groups when its user and group match already', async () => {
      const startedBy = ['setpriv', '--reuid=65534', '--regid=65534', '--groups=0,6'];
      const environment = libraries.environment({ run: 'exit:0' });
      running = ShimProcess.start(smallest(library, libraries.kernelPath), {
        shim,
        directory,
        environment,
        startedBy,
      });
      expect(await running.ended()).toBe(1);
      expect(running.record.failed?.code).toBe('krun-privileges');
    });
  }
});

describe.each(SUBJECTS)('a shim with %s that cannot start', (subject) => {
  const chosen = () => (subject === named ? named : library);

  it.each([
    ['a library that is not there', { library: '/nowhere/libkrun.so.1' }, 'krun-library-missing'],
    [
      'a disk that is not there',
      { disks: [{ id: 'a', path: '/nowhere', format: 'raw', readonly: true }] },
      'krun-refused',
    ],
    [
      'a socket that exists',
      { ports: [{ port: 1, path: '/dev/null', listen: true }] },
      'krun-exists',
    ],
  ])(
    'names the code of the error in its record when the description names %s',
    async (_, change, code) => {
      const process = start(
        { ...smallest(chosen(), libraries.kernelPath), ...change },
        { run: 'exit:0' },
      );
      expect(await process.ended()).toBe(1);
      expect(process.record.failed?.code).toBe(code);
    },
  );

  // Only root has rights to give up.
  if (global.process.geteuid?.() === 0) {
    it('does not run as root', async () => {
      const { identity: _, ...description } = smallest(chosen(), libraries.kernelPath);
      const process = start(description, { run: 'exit:0' });
      expect(await process.ended()).toBe(1);
      expect(process.record.failed?.code).toBe('krun-privileges');
    });
  }
});

/** A microVM with a console, and a port at this path. */
function withConsole(path: string): ShimDescription {
  return {
    ...smallest(library, libraries.kernelPath),
    ports: [{ port: 1024, path, listen: true }],
    console: { device: 'virtio', file: CONSOLE_DESCRIPTOR },
  };
}

/** What a socket returns for some bytes. */
async function echoed(path: string, text: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(text));
    socket.once('error', reject).once('data', (bytes) => {
      resolve(bytes.toString());
      socket.destroy();
    });
  });
}
