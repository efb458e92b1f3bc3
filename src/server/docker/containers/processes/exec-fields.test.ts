import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { framesIn } from '../../../testing/frames.ts';
import { TestHome } from '../../../testing/home.ts';
import { EXEC_KEYS } from './exec.ts';

const home = new TestHome();
let box: string;
beforeAll(async () => {
  await home.start();
  box = await home.create(['sleep', 'infinity']);
  expect((await home.call('POST', `/containers/${box}/start`)).status).toBe(204);
});
afterAll(() => home.remove());

/** Each field with a value, and the exec that results. */
const WORKS: Readonly<Record<string, readonly [value: unknown, made: object]>> = {
  // Empty: what is sent is below.
  Container: ['', {}],
  AttachStdin: [true, { attach: { stdin: true } }],
  AttachStdout: [true, { attach: { stdout: true } }],
  AttachStderr: [true, { attach: { stderr: true } }],
  Tty: [true, { process: { terminal: true } }],
  // As in Docker, how it is started says so.
  Detach: [true, {}],
  Privileged: [true, { privileged: true }],
  DetachKeys: ['ctrl-a', { detachKeys: Uint8Array.of(1) }],
  Cmd: [['id', '-u'], { process: { args: ['id', '-u'] } }],
  Env: [['A=1'], { process: { env: expect.arrayContaining(['A=1']) } }],
  User: ['1:2', { process: { user: '1:2' } }],
  WorkingDir: ['/w', { process: { cwd: '/w' } }],
  ConsoleSize: [[24, 80], { process: { size: { rows: 24, columns: 80 } } }],
};

it('tests every supported field of exec', () => {
  expect(Object.keys(WORKS).sort()).toEqual([...EXEC_KEYS].sort());
});

it.each(Object.entries(WORKS))(
  'passes the field %s on to the process',
  async (name, [value, made]) => {
    const body = { Cmd: ['true'], ...(name === 'ConsoleSize' ? { Tty: true } : {}), [name]: value };
    const answer = await home.call('POST', `/containers/${box}/exec`, body);
    expect(answer).toMatchObject({ status: 201 });
    const { Id } = answer.body as { Id: string };
    expect(home.runtime.execs.expect(Id)).toMatchObject(made);
  },
);

it.each(['Unheard', 'valueOf'])(
  'refuses the exec field %s by name, with the reason',
  async (name) => {
    const before = home.runtime.execs.ofBox(box).length;
    const body = { Cmd: ['true'], [name]: true };
    expect(await home.call('POST', `/containers/${box}/exec`, body)).toMatchObject({
      status: 400,
      body: {
        code: 'unsupported-option',
        message: expect.stringMatching(new RegExp(`^Cannot exec: ${name} is not supported: .`)),
      },
    });
    expect(home.runtime.execs.ofBox(box)).toHaveLength(before);
  },
);

/** A body of the Python SDK, with the name that its caller used. */
const fromPython = (container: string) => ({
  ...{ Container: container, User: '', Privileged: false, Tty: false },
  ...{ AttachStdin: false, AttachStdout: true, AttachStderr: true },
  ...{ Cmd: ['echo', 'hello'], Env: null, WorkingDir: '/w', detachKeys: 'ctrl-a' },
});

it('accepts the box again in the body of exec, by id, prefix or name', async () => {
  const { name } = home.runtime.store.expect(box);
  for (const same of [box, box.slice(0, 12), name]) {
    const answer = await home.call('POST', `/containers/${box}/exec`, fromPython(same));
    expect(answer).toMatchObject({ status: 201 });
    const { Id } = answer.body as { Id: string };
    expect(home.runtime.execs.expect(Id)).toMatchObject({
      ...{ attach: { stdin: false, stdout: true, stderr: true } },
      ...{ process: { args: ['echo', 'hello'], cwd: '/w' }, detachKeys: Uint8Array.of(1) },
    });
  }
});

it('refuses an exec whose body names another box than its path', async () => {
  const other = await home.create(['true']);
  expect(await home.call('POST', `/containers/${box}/exec`, fromPython(other))).toMatchObject({
    status: 400,
    body: { code: 'invalid-argument', message: expect.stringContaining('names another box') },
  });
  expect(await home.call('POST', `/containers/${box}/exec`, fromPython('gone'))).toMatchObject({
    status: 404,
    body: { code: 'no-such-box' },
  });
});

it('accepts unknown fields of exec that request nothing', async () => {
  const body = { Cmd: ['true'], Unheard: null, Another: false };
  expect(await home.call('POST', `/containers/${box}/exec`, body)).toMatchObject({ status: 201 });
});

it('accepts field names of exec start in any case, and null as absent', async () => {
  const { body } = await home.call('POST', `/containers/${box}/exec`, { cmd: ['true'] });
  const { Id } = body as { Id: string };
  const start = { detach: true, TTY: null, consoleSize: null };
  expect(await home.call('POST', `/exec/${Id}/start`, start)).toMatchObject({ status: 200 });
});

/** What a client reads after it started an exec with the document `start`. */
async function started(create: object, start: object): Promise<{ type: string; bytes: Buffer }> {
  return await startOf(await made(create), start);
}

async function made(create: object): Promise<string> {
  const { body } = await home.call('POST', `/containers/${box}/exec`, create);
  return (body as { Id: string }).Id;
}

async function startOf(exec: string, start: object): Promise<{ type: string; bytes: Buffer }> {
  const text = JSON.stringify(start);
  const socket = connect(home.config.socket);
  socket.write(
    `POST /v1.45/exec/${exec}/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
  const all = await buffer(socket);
  const end = all.indexOf('\r\n\r\n');
  const [, type = ''] = /Content-Type: \S*docker\.(\S+)-stream/.exec(all.toString('latin1')) ?? [];
  return { type, bytes: all.subarray(end + 4) };
}

const BOTH = { AttachStdout: true, AttachStderr: true, Cmd: ['sh', '-c', 'echo out; fail err'] };

it.each([
  [false, { Tty: false }],
  [false, {}],
])('frames both streams of an exec created with Tty %j and started with %j', async (Tty, start) => {
  const { type, bytes } = await started({ ...BOTH, Tty }, start);
  expect(type).toBe('multiplexed');
  expect(framesIn(bytes).sort()).toEqual([
    [1, 'out\n'],
    [2, 'err\n'],
  ]);
});

it('frames the output of a terminal when exec start does not request one', async () => {
  const create = { AttachStdout: true, Cmd: ['echo', 'out'], Tty: true };
  for (const start of [{ Tty: false, Detach: false }, {}]) {
    const { type, bytes } = await started(create, start);
    expect(type).toBe('multiplexed');
    expect(framesIn(bytes).map(([stream]) => stream)).toEqual([1]);
    expect(framesIn(bytes)[0]?.[1]).toContain('out');
  }
  const { type, bytes } = await started(create, { Tty: true });
  expect(type).toBe('raw');
  expect(bytes.toString()).toMatch(/^out\r?\n$/);
});

it('sends raw stdout alone when only exec start requests a terminal', async () => {
  const { type, bytes } = await started(BOTH, { Tty: true });
  expect(type).toBe('raw');
  expect(bytes.toString()).toBe('out\n');
});

it('gives a privileged exec all capabilities, and shows it', async () => {
  for (const Privileged of [true, false]) {
    const made = await home.call('POST', `/containers/${box}/exec`, { Cmd: ['true'], Privileged });
    const { Id } = made.body as { Id: string };
    expect(await home.call('POST', `/exec/${Id}/start`, { Detach: true })).toMatchObject({
      status: 200,
    });
    expect(home.agents.get(box)?.privileged.has(Id)).toBe(Privileged);
    expect((await home.call('GET', `/exec/${Id}/json`)).body).toMatchObject({
      ProcessConfig: { privileged: Privileged },
    });
  }
});

it('answers a second start as Docker: in the stream, or with 409 where it is detached', async () => {
  const exec = await made({ AttachStdout: true, Cmd: ['sleep', 'infinity'] });
  const detached = () => home.call('POST', `/exec/${exec}/start`, { Detach: true });
  expect(await detached()).toMatchObject({ status: 200 });
  const running = `Error: Exec command ${exec} is already running`;
  expect(framesIn((await startOf(exec, { Detach: false })).bytes)).toEqual([[1, `${running}\r\n`]]);
  expect(await detached()).toMatchObject({ status: 409, body: { message: running } });
});

it('says in the stream of a second start that an exec has ended', async () => {
  const exec = await made({ AttachStdout: true, Cmd: ['echo', 'once'] });
  expect(framesIn((await startOf(exec, {})).bytes)).toEqual([[1, 'once\n']]);
  const ended = `Error: Exec command ${exec} has already run\r\n`;
  expect((await startOf(exec, { Tty: true })).bytes.toString()).toBe(ended);
});
