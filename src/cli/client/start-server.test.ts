import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../config.ts';
import { connectOrStart } from './connect.ts';
import { readFailure, serverEnvironment, serviceEnvironment } from './start-server.ts';

let directory: string;
let config: Config;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-start-'));
  const home = join(directory, 'home');
  config = {
    home,
    runtimeDir: directory,
    socket: join(directory, 's'),
    bootDir: directory,
    leastJail: 'one-feature',
    startTimeoutMs: 120_000,
    kvmTimeoutMs: 10_000,
    engine: undefined,
    krunLibrary: undefined,
    builder: { directory: '/nowhere', idleMs: 60_000, snapshots: false },
    templates: { enabled: false, max: 8, maxAgeMs: 86_400_000 },
  };
});

afterEach(() => {
  try {
    process.kill(Number(readFileSync(join(config.home, 'pid'), 'utf8')));
  } catch {
    // This test started no server.
  }
  rmSync(directory, { recursive: true });
});

/** Serves if it is first, and reports a running server otherwise. */
const SERVER = `
const fs = require('node:fs'), http = require('node:http'), home = process.env.A3S_HOME;
const say = (line) => fs.writeSync(Number(process.env.A3S_READY_FD), line + '\\n');
try { fs.writeFileSync(home + '/pid', String(process.pid), { flag: 'wx' }); } catch {
  say(JSON.stringify({ code: 'server-running', message: 'another', remedy: 'use it' }));
  process.exit(1);
}
fs.rmSync(process.env.A3S_SOCKET, { force: true });
http.createServer((_, response) => response.end('OK')).listen(process.env.A3S_SOCKET, () => say('ready'));
`;

function install(source: string): Promise<unknown> {
  writeFileSync(join(directory, 'server.cjs'), source);
  return start();
}

const start = (more: Readonly<Record<string, string>> = {}): Promise<unknown> =>
  connectOrStart(config, directory, {
    A3S_HOME: config.home,
    A3S_SOCKET: config.socket,
    PATH: process.env['PATH'],
    ...more,
  });

describe('connectOrStart', () => {
  it('starts a server, and connects to it the next time', async () => {
    await install(SERVER);
    const pid = readFileSync(join(config.home, 'pid'), 'utf8');
    await start();
    expect(readFileSync(join(config.home, 'pid'), 'utf8')).toBe(pid);
  });

  it('starts the server with a double dash, and without NODE_OPTIONS', async () => {
    const tell = `fs.writeFileSync(home + '/started', JSON.stringify({
      options: process.env.NODE_OPTIONS ?? null, line: fs.readFileSync('/proc/self/cmdline', 'utf8').split('\\0') }));`;
    writeFileSync(join(directory, 'server.cjs'), SERVER + tell);
    await start({ NODE_OPTIONS: '--no-warnings' });
    expect(JSON.parse(readFileSync(join(config.home, 'started'), 'utf8'))).toEqual({
      options: null,
      line: [process.execPath, '--', join(directory, 'server.cjs'), ''],
    });
  });

  it('connects several commands that start a server at once', async () => {
    writeFileSync(join(directory, 'server.cjs'), SERVER);
    await Promise.all([start(), start(), start()]);
  });

  it('starts a server when nothing listens on the socket', async () => {
    writeFileSync(config.socket, '');
    await install(SERVER);
  });

  it('reports why a server did not start', async () => {
    const source = `require('node:fs').writeSync(3, '{"code":"disk-full","message":"No space","remedy":"Free some."}\\n')`;
    await expect(install(source)).rejects.toMatchObject({
      code: 'disk-full',
      message: 'No space',
      remedy: 'Free some.',
    });
  });

  it('refers to the log of a server that died without an error', async () => {
    await expect(install('throw new Error("broken inside")')).rejects.toMatchObject({
      code: 'server-unreachable',
      remedy: expect.stringContaining('server.log'),
    });
    expect(readFileSync(join(config.home, 'server.log'), 'utf8')).toContain('broken inside');
  });

  it('reports a missing build, and a home that cannot be created', async () => {
    await expect(start()).rejects.toMatchObject({ code: 'tool-missing' });
    writeFileSync(join(directory, 'server.cjs'), SERVER);
    writeFileSync(config.home, 'a file');
    await expect(start()).rejects.toMatchObject({ code: 'state-unusable' });
    rmSync(config.home);
  });
});

it('removes variables that change Node.js or hold signing passwords from the server’s environment', () => {
  const env = {
    PATH: '/bin',
    A3S_HOME: '/h',
    NODE_OPTIONS: '--inspect',
    LD_PRELOAD: 'x',
    A3S_SIGNING_PASSWORD: 'x',
    COSIGN_PASSWORD: 'x',
    HTTPS_PROXY: 'p',
  };
  expect(serverEnvironment(env)).toEqual({
    PATH: '/bin',
    A3S_HOME: '/h',
    HTTPS_PROXY: 'p',
    A3S_READY_FD: '3',
  });
});

it('readFailure reports unknown codes as internal', () => {
  expect(readFailure('ready', 'log')).toBeUndefined();
  expect(readFailure('{"code":"zap","message":"m\\u001b"}', 'log')).toMatchObject({
    code: 'internal',
    message: 'm\u{fffd}',
  });
});

describe('serviceEnvironment', () => {
  const manager = { NOTIFY_SOCKET: '/run/n', WATCHDOG_USEC: '1', LISTEN_FDNAMES: 'a:b' };

  it('passes the variables and sockets of a service manager to the server', () => {
    const listening = { LISTEN_FDS: '2', LISTEN_PID: String(process.pid) };
    const given = { PATH: '/bin', NODE_OPTIONS: '--inspect', ...manager, ...listening };
    expect(serviceEnvironment(given)).toEqual({
      env: { PATH: '/bin', ...manager, ...listening },
      descriptors: [3, 4],
    });
    // A server that a command starts in the background is not the systemd service.
    expect(serverEnvironment(given)).toEqual({ PATH: '/bin', A3S_READY_FD: '3' });
  });

  it.each([
    { LISTEN_FDS: '2', LISTEN_PID: '1' },
    { LISTEN_FDS: 'all', LISTEN_PID: String(process.pid) },
    { LISTEN_FDS: '-1', LISTEN_PID: String(process.pid) },
  ])('passes no descriptors to the server for %j', (said) => {
    expect(serviceEnvironment(said).descriptors).toEqual([]);
  });
});
