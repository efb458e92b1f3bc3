import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../server/testing/home.ts';
import { allow } from '../../server/testing/signed-images.ts';
import { RuntimeService } from '../grpc/library.ts';
import { controlFrame, FIN, PING } from '../streaming/spdy/frames.ts';
import { openStream, SPDY_HEADERS } from '../streaming/testing/open-stream.ts';
import { SpdyClient } from '../streaming/testing/spdy-client.ts';
import { CriClient } from '../testing/cri-client.ts';

const { runPodSandbox, removePodSandbox, createContainer, startContainer } = RuntimeService.method;
const { stopContainer, exec, attach, portForward, reopenContainerLog } = RuntimeService.method;

const INVALID = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

let home: TestHome;
let client: CriClient;
let directory: string;
let logs: string;
let pod: string;
const connected: SpdyClient[] = [];
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-streams-'));
  logs = join(directory, 'pod');
  mkdirSync(join(logs, 'app'), { recursive: true });
  home = new TestHome();
  home.cri = join(directory, 'cri.sock');
  home.trust.rules = [allow('**')];
  await home.start();
  client = new CriClient(home.cri);
});
beforeEach(async () => {
  const metadata = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };
  const config = { metadata, logDirectory: logs };
  pod = (await client.call(runPodSandbox, { config })).podSandboxId;
});
afterEach(async () => {
  for (const each of connected.splice(0)) each.socket.destroy();
  await client.call(removePodSandbox, { podSandboxId: pod });
  rmSync(join(logs, 'app/0.log'), { force: true });
});
afterAll(async () => {
  client?.close();
  await home?.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function started(command: readonly string[], more = {}): Promise<string> {
  const config = {
    ...{ metadata: { name: 'app', attempt: 0 }, image: { image: 'busybox' } },
    ...{ command: [...command], ...more },
  };
  const { containerId } = await client.call(createContainer, { podSandboxId: pod, config });
  await client.call(startContainer, { containerId });
  return containerId;
}

async function connect(url: string, protocol = 'v4.channel.k8s.io'): Promise<SpdyClient> {
  const headers = [...SPDY_HEADERS, `X-Stream-Protocol-Version: ${protocol}`];
  const made = new SpdyClient((await openStream(url, headers)).socket);
  connected.push(made);
  return made;
}

const OUTPUTS = { stdout: true, stderr: true };

describe('Exec', () => {
  it('runs a program that a client is connected with, and says how it exited', async () => {
    const containerId = await started(['sleep', 'infinity']);
    const cmd = ['sh', '-c', 'cat; fail complaint; exit 3'];
    const { url } = await client.call(exec, { containerId, cmd, stdin: true, ...OUTPUTS });
    const stream = await connect(url);
    const [error, stdin] = [
      await stream.open({ streamtype: 'error' }),
      await stream.open({ streamtype: 'stdin' }),
    ];
    const stdout = await stream.open({ streamtype: 'stdout' });
    const stderr = await stream.open({ streamtype: 'stderr' });
    stream.send(stdin, 'to and fro', true);
    await stream.until(() => stream.of(error).ended);
    expect(stream.text(stdout)).toBe('to and fro');
    expect(stream.text(stderr)).toBe('complaint\n');
    expect(JSON.parse(stream.text(error))).toMatchObject({
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
  });

  it('says to its client why a program did not start', async () => {
    const containerId = await started(['sleep', 'infinity']);
    const { url } = await client.call(exec, { containerId, cmd: ['nothing'], stdout: true });
    const stream = await connect(url);
    const error = await stream.open({ streamtype: 'error' });
    await stream.open({ streamtype: 'stdout' });
    await stream.until(() => stream.of(error).ended);
    expect(JSON.parse(stream.text(error))).toMatchObject({
      ...{ status: 'Failure', reason: 'InternalError' },
      message: expect.stringContaining('(command-not-found)'),
    });
  });

  it('gives a program a terminal with the size of the client’s', async () => {
    const containerId = await started(['sleep', 'infinity']);
    const asked = { containerId, cmd: ['tty'], tty: true, stdin: true, stdout: true };
    const stream = await connect((await client.call(exec, asked)).url);
    const error = await stream.open({ streamtype: 'error' });
    const stdin = await stream.open({ streamtype: 'stdin' });
    const stdout = await stream.open({ streamtype: 'stdout' });
    const resize = await stream.open({ streamtype: 'resize' });
    stream.send(resize, '{"Width":132,"Height":50}');
    await stream.until(() => stream.text(stdout).includes('50 132\r\n'));
    stream.send(stdin, 'q');
    await stream.until(() => stream.of(error).ended);
    expect(JSON.parse(stream.text(error))).toEqual({ metadata: {}, status: 'Success' });
  });

  it('refuses a program without a name, without streams, and for what does not run', async () => {
    const containerId = await started(['sleep', 'infinity']);
    const all = { containerId, cmd: ['true'], stdin: true, ...OUTPUTS };
    const refused = async (request: object, code: number) =>
      await expect(client.call(exec, { ...all, ...request })).rejects.toMatchObject({ code });
    await refused({ cmd: [] }, INVALID);
    await refused({ tty: true }, INVALID);
    await refused({ stdin: false, stdout: false, stderr: false }, INVALID);
    await refused({ containerId: 'none' }, NOT_FOUND);
    await client.call(stopContainer, { containerId, timeout: 0n });
    await refused({}, FAILED_PRECONDITION);
  });
});

describe('Attach', () => {
  it('connects clients with the main process, whose input the first one ends', async () => {
    const more = { stdin: true, stdinOnce: true };
    const containerId = await started(['cat'], more);
    const asked = { containerId, stdin: true, ...OUTPUTS };
    const watcher = await connect((await client.call(attach, asked)).url);
    const shown = await watcher.open({ streamtype: 'stdout' });
    for (const streamtype of ['error', 'stdin', 'stderr']) await watcher.open({ streamtype });
    await watcher.until(() => watcher.of(shown + 6).replied);
    const stream = await connect((await client.call(attach, asked)).url);
    const error = await stream.open({ streamtype: 'error' });
    const stdin = await stream.open({ streamtype: 'stdin' });
    const stdout = await stream.open({ streamtype: 'stdout' });
    await stream.open({ streamtype: 'stderr' });
    stream.send(stdin, 'typed', true);
    await stream.until(() => stream.of(error).ended);
    expect(stream.text(stdout)).toBe('typed');
    expect(JSON.parse(stream.text(error))).toEqual({ metadata: {}, status: 'Success' });
    await watcher.until(() => watcher.of(shown).ended);
    expect(watcher.text(shown)).toBe('typed');
  });

  it('drops what is sent to a process without input, and reads on', async () => {
    const containerId = await started(['sleep', 'infinity']);
    const asked = { containerId, stdin: true, ...OUTPUTS };
    const stream = await connect((await client.call(attach, asked)).url);
    const stdin = await stream.open({ streamtype: 'stdin' });
    for (const streamtype of ['error', 'stdout', 'stderr']) await stream.open({ streamtype });
    stream.send(stdin, Buffer.alloc(300_000));
    stream.socket.write(controlFrame(PING, [1]));
    const answered = () =>
      stream.control.some(({ type, payload }) => type === PING && payload.readUInt32BE(0) === 1);
    await stream.until(answered);
  });

  it('refuses a terminal that the container has not', async () => {
    const containerId = await started(['sleep', 'infinity']);
    await expect(
      client.call(attach, { containerId, tty: true, stdout: true }),
    ).rejects.toMatchObject({ code: INVALID });
  });
});

describe('PortForward', () => {
  it('connects to ports of the pod’s loopback', async () => {
    home.agents.get(pod)?.sockets.ports.set(80, (connection) => {
      void text(connection).then((all) => connection.end(all.toUpperCase()));
    });
    const { url } = await client.call(portForward, { podSandboxId: pod, port: [80, 81] });
    const stream = await connect(url, 'portforward.k8s.io');
    const pair = async (port: string) => {
      const headers = { port, requestid: port };
      const error = await stream.open({ streamtype: 'error', ...headers }, FIN);
      return { error, data: await stream.open({ streamtype: 'data', ...headers }) };
    };
    const [served, refused] = [await pair('80'), await pair('81')];
    stream.send(served.data, 'hello', true);
    await stream.until(() => stream.of(served.data).ended && stream.of(refused.error).ended);
    expect(stream.text(served.data)).toBe('HELLO');
    expect(stream.text(refused.error)).toContain('error forwarding port 81: ');
  });

  it('refuses what is no port, and a pod that is not there', async () => {
    const refused = { podSandboxId: pod, port: [0] };
    await expect(client.call(portForward, refused)).rejects.toMatchObject({ code: INVALID });
    await expect(client.call(portForward, { podSandboxId: 'none' })).rejects.toMatchObject({
      code: NOT_FOUND,
    });
  });
});

describe('the log of a container', () => {
  const LOGGED = { logPath: 'app/0.log' };
  const lines = (name = '0.log') =>
    readFileSync(join(logs, 'app', name), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.replace(/^\S+ /, ''));

  it('keeps what its main process wrote, both streams in order', async () => {
    await started(['sh', '-c', 'echo out; fail err; echo last'], LOGGED);
    await expect.poll(() => lines()).toEqual(['stdout F out', 'stderr F err', 'stdout F last']);
  });

  it('continues in a new file when kubelet has rotated it', async () => {
    const containerId = await started(['cat'], { ...LOGGED, stdin: true });
    const asked = { containerId, stdin: true, ...OUTPUTS };
    const stream = await connect((await client.call(attach, asked)).url);
    const stdin = await stream.open({ streamtype: 'stdin' });
    for (const streamtype of ['error', 'stdout', 'stderr']) await stream.open({ streamtype });
    stream.send(stdin, 'old\n');
    await expect.poll(() => lines()).toEqual(['stdout F old']);
    renameSync(join(logs, 'app/0.log'), join(logs, 'app/0.log.1'));
    await client.call(reopenContainerLog, { containerId });
    stream.send(stdin, 'new\n');
    await expect.poll(() => lines()).toEqual(['stdout F new']);
    expect(lines('0.log.1')).toEqual(['stdout F old']);
    await client.call(stopContainer, { containerId, timeout: 0n });
    await expect(client.call(reopenContainerLog, { containerId })).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
    });
  });

  it('goes on with the next server, and repeats nothing', async () => {
    const containerId = await started(['cat'], { ...LOGGED, stdin: true });
    const type = async (typed: string) => {
      const asked = { containerId, stdin: true, ...OUTPUTS };
      const stream = await connect((await client.call(attach, asked)).url);
      const stdin = await stream.open({ streamtype: 'stdin' });
      const error = await stream.open({ streamtype: 'error' });
      for (const streamtype of ['stdout', 'stderr']) await stream.open({ streamtype });
      stream.send(stdin, typed);
      return { stream, error };
    };
    await type('one\ntwo\nth');
    await expect.poll(() => lines()).toEqual(['stdout F one', 'stdout F two']);
    await home.crash();
    await home.start();
    const { stream, error } = await type('ree\n');
    await expect.poll(() => lines()).toContain('stdout F three');
    await client.call(stopContainer, { containerId, timeout: 0n });
    // Its clients see the end once the log is complete.
    await stream.until(() => stream.of(error).ended);
    expect(lines()).toEqual(['stdout F one', 'stdout F two', 'stdout F three']);
  });

  it('needs a directory that is there', async () => {
    await expect(started(['true'], { logPath: 'missing/0.log' })).rejects.toMatchObject({
      code: INVALID,
    });
  });
});
