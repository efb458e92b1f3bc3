import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { spawn as spawnTerminal } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Command } from '../../src/cri/streaming/command.ts';
import type { StreamTarget } from '../../src/cri/streaming/stream-target.ts';
import { StreamingServer } from '../../src/cri/streaming/streaming-server.ts';
import { A3sError } from '../../src/errors.ts';
import { ContainerLog } from '../../src/pods/logs/container-log.ts';
import { LOG_START } from '../../src/pods/logs/log-position.ts';
import type { TerminalClient } from '../../src/pods/streams/terminal-client.ts';
import { KubernetesApi, POD } from '../peers/kubernetes-api.ts';

/** Either protocol of `kubectl`: what its environment says, and what it upgrades to. */
const PROTOCOLS = [
  ['WebSocket', 'true', 'websocket'],
  ['SPDY', 'false', 'spdy/3.1'],
] as const;

let directory: string;
let server: StreamingServer;
let api: KubernetesApi;
let log: string;
const attached = new EventEmitter();

/** Runs a program of this host in place of one of the pod. */
async function run(args: readonly string[], client: TerminalClient): Promise<number> {
  const [program = '', ...rest] = args;
  const child = spawn(program, rest, { cwd: directory });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(new A3sError('command-not-found', String(error))));
    child.once('close', (code) => resolve(Number(code)));
  });
  const feed = async (): Promise<void> => {
    child.stdin.on('error', () => undefined);
    for await (const bytes of client.input) {
      if (!child.stdin.write(bytes)) await once(child.stdin, 'drain').catch(() => undefined);
    }
    child.stdin.end();
  };
  void feed();
  const copy = async (from: AsyncIterable<Buffer>, stream: 1 | 2): Promise<void> => {
    for await (const bytes of from) await client.write(stream, bytes);
  };
  const [code] = await Promise.all([exited, copy(child.stdout, 1), copy(child.stderr, 2)]);
  return code;
}

/** Says how large the terminal is, until it has a given size. */
async function terminal({ sizes, write }: TerminalClient): Promise<number> {
  for await (const { rows, columns } of sizes) {
    await write(1, Buffer.from(`${rows}x${columns}\r\n`));
    if (rows === 50) break;
  }
  return 0;
}

async function attach({ input, write }: TerminalClient): Promise<undefined> {
  await write(1, Buffer.from('attached\n'));
  for await (const bytes of input) attached.emit('input', String(bytes));
  return undefined;
}

function target(verb: string, options: URLSearchParams): StreamTarget {
  if (verb === 'portforward') {
    const dial = async (port: number): Promise<Socket> => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      await once(socket, 'connect').catch((error: Error) => {
        throw new A3sError('conflict', error.message);
      });
      return socket;
    };
    return { kind: 'portforward', portForward: { ports: [], dial } };
  }
  const has = (name: string): boolean => options.get(name) === 'true';
  const shape = { stdin: has('stdin'), stdout: has('stdout'), stderr: has('stderr') };
  const args = options.getAll('command');
  const serve: Command['serve'] = (client) =>
    verb === 'attach' ? attach(client) : has('tty') ? terminal(client) : run(args, client);
  const command = { ...shape, terminal: has('tty'), serve };
  return verb === 'attach' ? { kind: 'attach', command } : { kind: 'exec', command };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-kubectl-'));
  log = join(directory, '0.log');
  server = await StreamingServer.listen({ error: () => undefined });
  api = await KubernetesApi.start({ url: (asked) => server.url(asked), target, log });
  writeFileSync(join(directory, 'config'), api.kubeconfig);
});

afterAll(async () => {
  api.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

function environment(webSockets: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    ...{ HOME: directory, KUBECONFIG: join(directory, 'config') },
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: webSockets,
    KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets,
  };
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function kubectl(
  webSockets: string,
  args: readonly string[],
  input: string | Buffer = '',
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: environment(webSockets), maxBuffer: 64e6, timeout: 60_000 };
    const child = execFile('kubectl', args, { ...options, cwd: directory }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout: out, stderr: err });
    });
    child.stdin?.end(input);
  });
}

describe.each(PROTOCOLS)('kubectl by %s', (_, webSockets, protocol) => {
  it('runs programs with their outputs apart, and exits as they do', async () => {
    api.upgrades.length = 0;
    const script = 'echo out; echo err >&2; exit 7';
    const ended = await kubectl(webSockets, ['exec', POD, '--', 'sh', '-c', script]);
    expect(ended).toMatchObject({ code: 7, stdout: 'out\n' });
    expect(ended.stderr).toContain('err\n');
    expect(ended.stderr).toContain('command terminated with exit code 7');
    expect(api.upgrades).toEqual([protocol]);
    expect(await kubectl(webSockets, ['exec', POD, '--', 'true'])).toMatchObject({ code: 0 });
  });

  it('says why a program did not start', async () => {
    const { code, stderr } = await kubectl(webSockets, ['exec', POD, '--', 'no-such-program']);
    expect(code).toBe(1);
    expect(stderr).toContain('no-such-program');
  });

  it('sends 3 MB of input, and gets them back', async () => {
    const sent = randomBytes(2_250_000).toString('base64');
    const ended = await kubectl(webSockets, ['exec', '-i', POD, '--', 'cat'], sent);
    expect(ended.code).toBe(0);
    expect(ended.stdout === sent).toBe(true);
  });

  it('gives a program the size of its terminal, and the next one', async () => {
    const pty = spawnTerminal('kubectl', ['exec', '-it', POD, '--', 'sh'], {
      ...{ cols: 80, rows: 24, cwd: directory, env: environment(webSockets) },
    });
    let shown = '';
    const resized = new Promise<number>((resolve) =>
      pty.onExit(({ exitCode }) => resolve(exitCode)),
    );
    pty.onData((data) => {
      shown += data;
      if (shown.includes('24x80')) pty.resize(132, 50);
    });
    expect(await resized).toBe(0);
    expect(shown).toContain('50x132');
  });

  it('attaches to a container, and sends it what is typed', async () => {
    const typed = once(attached, 'input');
    const { code, stdout } = await kubectl(webSockets, ['attach', '-i', POD], 'typed\n');
    expect(code).toBe(0);
    expect(stdout).toContain('attached\n');
    expect(await typed).toEqual(['typed\n']);
  });

  it('copies files into a container and out of it', async () => {
    const bytes = randomBytes(300_000);
    writeFileSync(join(directory, 'local'), bytes);
    mkdirSync(join(directory, 'pod'), { recursive: true });
    const remote = `${POD}:${directory}/pod/copied`;
    expect(await kubectl(webSockets, ['cp', 'local', remote])).toMatchObject({ code: 0 });
    expect(readFileSync(join(directory, 'pod/copied')).equals(bytes)).toBe(true);
    expect(await kubectl(webSockets, ['cp', remote, 'back'])).toMatchObject({ code: 0 });
    expect(readFileSync(join(directory, 'back')).equals(bytes)).toBe(true);
  });

  it('forwards ports, several connections at once', async () => {
    const inPod = createServer((socket) => socket.pipe(socket));
    inPod.listen(0, '127.0.0.1');
    await once(inPod, 'listening');
    const { port } = inPod.address() as AddressInfo;
    api.upgrades.length = 0;
    const forwarding = spawn('kubectl', ['port-forward', `pod/${POD}`, `:${port}`], {
      ...{ env: environment(webSockets), cwd: directory },
    });
    try {
      const local = await localPort(forwarding);
      const echoed = await Promise.all(
        ['one', 'two', 'three'].map(async (word) => {
          const socket = connect({ port: local, host: '127.0.0.1', allowHalfOpen: true });
          socket.end(word);
          return await text(socket);
        }),
      );
      expect(echoed).toEqual(['one', 'two', 'three']);
      expect(api.upgrades).toEqual([protocol]);
    } finally {
      forwarding.kill();
      inPod.close();
    }
  });
});

/** The port that `kubectl port-forward` listens on, once it does. */
async function localPort({ stdout }: ChildProcess): Promise<number> {
  let shown = '';
  for (;;) {
    const [, port] = /127\.0\.0\.1:(\d+) ->/.exec(shown) ?? [];
    if (port !== undefined) return Number(port);
    if (stdout === null) throw new Error('it has no output');
    const [bytes] = await once(stdout, 'data', { signal: AbortSignal.timeout(30_000) });
    shown += String(bytes);
  }
}

it('shows the log of a container', async () => {
  const writer = await ContainerLog.open({
    ...{ path: log, position: LOG_START, signal: new AbortController().signal },
    ...{ save: () => undefined, onFailure: (error) => expect.fail(String(error)) },
  });
  await writer.write({ stream: 'stdout', data: Buffer.from(`one\n${'x'.repeat(20_000)}\n`) });
  await writer.write({ stream: 'stderr', data: Buffer.from('no end') });
  await writer.finish();
  await writer.close();
  const { stdout } = await kubectl('true', ['logs', POD]);
  expect(stdout).toBe(`one\n${'x'.repeat(20_000)}\nno end`);
});
