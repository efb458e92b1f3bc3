import { createHash, randomBytes } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { BOX_SPEC_SCHEMA, type BoxSpec, type ProcessSpec } from '@a3s-box/policies';
import { afterEach, expect, test } from 'vitest';
import { connectGuest } from './connection.ts';
import type { Guest } from './guest.ts';
import { MAIN } from './protocol.ts';
import { FakeAgent } from './testing/fake-agent.ts';
import type { FakeAgentOptions } from './testing/fake-agent-options.ts';
import { FakeRefusal } from './testing/fake-refusal.ts';
import { fakeVm } from './testing/fake-vm.ts';

const open: { agent: FakeAgent; guest: Guest }[] = [];

afterEach(() => {
  for (const { agent, guest } of open.splice(0)) {
    guest.close();
    agent.kill();
  }
});

function process(args: string[], more: Partial<ProcessSpec> = {}): ProcessSpec {
  return { args, env: ['A=1'], cwd: '/', user: '', terminal: false, stdin: false, ...more };
}

function box(main: ProcessSpec): BoxSpec {
  return {
    schema: BOX_SPEC_SCHEMA,
    hostname: 'box',
    rootfs: {
      layers: [{ serial: 'layer-0' }],
      changes: { kind: 'memory' },
      readonly: false,
    },
    process: main,
    mounts: [],
    network: { kind: 'none' },
    confinement: {
      capabilities: [],
      noNewPrivileges: false,
      seccomp: 'default',
      maskedPaths: [],
      readonlyPaths: [],
    },
    resources: {},
  };
}

async function connect(agent: FakeAgent): Promise<Guest> {
  const signal = new AbortController().signal;
  const guest = await connectGuest(fakeVm(agent), { signal, deadlineMs: 5000 });
  open.push({ agent, guest });
  return guest;
}

async function run(main: ProcessSpec, options: FakeAgentOptions = {}) {
  const agent = new FakeAgent(options);
  const guest = await connect(agent);
  await guest.putSpec(box(main));
  await guest.startMain();
  return { agent, guest };
}

async function collect(guest: Guest, id: string, offset = 0) {
  const reader = await guest.output(id, offset);
  const seen = { stdout: '', stderr: '', end: offset };
  for await (const { stream, data, offset: start } of reader) {
    expect(start).toBe(seen.end);
    seen[stream] += data.toString('latin1');
    seen.end += data.length;
    reader.ack(seen.end);
  }
  return seen;
}

test('a box runs from the spec to its exit', async () => {
  const agent = new FakeAgent();
  const guest = await connect(agent);
  expect(await guest.state()).toEqual({ spec: null, processes: [] });
  const spec = box(process(['sh', '-c', 'echo out; echo err >&2; exit 3']));
  const digest = await guest.putSpec(spec);
  expect(digest).toBe(`sha256:${createHash('sha256').update(JSON.stringify(spec)).digest('hex')}`);
  expect((await guest.process('main')).state).toBe('created');
  expect(await guest.startMain()).toMatchObject({ id: 'main', pid: 1 });
  expect(await collect(guest, 'main')).toEqual({ stdout: 'out\n', stderr: 'err\n', end: 8 });
  expect(await guest.exit('main')).toMatchObject({ exitCode: 3, signal: null, oomKilled: false });
  expect(await guest.state()).toMatchObject({ spec: digest, processes: [{ state: 'exited' }] });
  await guest.poweroff();
  await agent.poweredOff;
  await guest.closed;
});

test.each([
  ['command-not-found', process(['nowhere'])],
  ['command-not-executable', process(['/etc/passwd'])],
  ['user-not-found', process(['true'], { user: 'ghost' })],
  ['cwd-invalid', process(['true'], { cwd: '/missing' })],
])('the agent’s error code %s is kept', async (code, spec) => {
  const { guest } = await run(process(['sleep', 'infinity']));
  await expect(guest.startProcess('e1', spec)).rejects.toMatchObject({ name: 'A3sError', code });
});

test('other refusals of the agent are mapped to the host’s error codes', async () => {
  const { guest } = await run(process(['sleep', 'infinity']));
  await expect(guest.startMain()).rejects.toMatchObject({ code: 'conflict' });
  await expect(guest.exit('nobody')).rejects.toMatchObject({ code: 'no-such-exec' });
  await expect(guest.output('main', 1)).rejects.toMatchObject({ code: 'agent-failed' });
  await expect(guest.resize('main', { rows: 1, columns: 1 })).rejects.toMatchObject({
    code: 'invalid-argument',
  });
});

test('a setup failure is reported in printable and bounded words', async () => {
  const message = `disk layer-3\u001b[31m\n\u202e${'x'.repeat(5000)}`;
  const agent = new FakeAgent({ refuseSpec: new FakeRefusal('setup-failed', message) });
  const guest = await connect(agent);
  const error = await guest.putSpec(box(process(['true']))).catch((e: Error) => e);
  expect(error).toMatchObject({ code: 'agent-failed' });
  expect((error as Error).message).toMatch(/^disk layer-3 \[31m x{900,1024}…$/);
});

test('a process receives 5 MB through stdin and sends them back unchanged', async () => {
  const { guest } = await run(process(['cat'], { stdin: true }));
  const data = randomBytes(5_000_000);
  const stdin = guest.stdin('main');
  stdin.end(data);
  const reader = await guest.output('main', 0);
  const hash = createHash('sha256');
  for await (const chunk of reader) {
    hash.update(chunk.data);
    reader.ack(chunk.offset + chunk.data.length);
  }
  await finished(stdin);
  expect(await stdin.processClosed).toBe(false);
  expect(hash.digest('hex')).toBe(createHash('sha256').update(data).digest('hex'));
});

test('input for a process that does not read is dropped without an error', async () => {
  const { guest } = await run(process(['close-stdin'], { stdin: true }));
  const stdin = guest.stdin('main');
  expect(await stdin.processClosed).toBe(true);
  for (let i = 0; i < 100; i++) stdin.write(Buffer.alloc(64 * 1024));
  stdin.end();
  await finished(stdin);
});

test('input in flight when the process exits is dropped without an error', async () => {
  const { guest } = await run(process(['cat'], { stdin: true }));
  const stdin = guest.stdin('main');
  for (let i = 0; i < 100; i++) stdin.write(Buffer.alloc(64 * 1024));
  await guest.signal('main', 'SIGKILL');
  stdin.end();
  await finished(stdin);
  expect(await guest.exit('main')).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
});

test('a writer that disconnects leaves the input open for the next one', async () => {
  const { guest } = await run(process(['cat'], { stdin: true }));
  const first = guest.stdin('main');
  await new Promise((resolve) => first.write('a', resolve));
  const second = guest.stdin('main');
  await expect(finished(second)).rejects.toMatchObject({ code: 'conflict' });
  const reader = await guest.output('main', 0);
  const output = reader[Symbol.asyncIterator]();
  await output.next();
  first.destroy();
  expect(await first.processClosed).toBe(false);
  const third = await takeInput(guest);
  third.end('b');
  expect((await output.next()).value?.data.toString()).toBe('b');
  expect((await output.next()).done).toBe(true);
});

/** Retries, because the agent sees the reset of a stream a little later than its sender. */
async function takeInput(guest: Guest) {
  for (;;) {
    const writer = guest.stdin('main');
    writer.on('error', () => undefined);
    const written = await new Promise((resolve) => writer.write('', (e) => resolve(e ?? null)));
    if (written === null && (await guest.process('main')) && !writer.destroyed) return writer;
  }
}

test('output that was not acknowledged is kept for the next host', async () => {
  const { agent, guest } = await run(process(['cat'], { stdin: true }));
  const stdin = guest.stdin('main');
  stdin.write('first ');
  const reader = await guest.output('main', 0);
  const output = reader[Symbol.asyncIterator]();
  expect((await output.next()).value?.data.toString()).toBe('first ');
  reader.ack(3);
  agent.disconnect();
  await guest.closed;
  await expect(output.next()).rejects.toMatchObject({ code: 'agent-failed' });
  await expect(guest.stats()).rejects.toMatchObject({ code: 'agent-failed' });
  const next = await connect(agent);
  expect((await next.state()).processes[0]?.state).toBe('running');
  next.stdin('main').end('second');
  expect((await collect(next, 'main', 3)).stdout).toBe('st second');
  expect(await next.exit('main')).toMatchObject({ exitCode: 0 });
});

test('a stalled reader blocks only the process that it reads', async () => {
  const { guest } = await run(process(['bytes', String(8 * 1024 * 1024)]));
  const reader = await guest.output('main', 0);
  const output = reader[Symbol.asyncIterator]();
  await output.next();
  await guest.startProcess('e1', process(['echo', 'hi']));
  expect((await collect(guest, 'e1')).stdout).toBe('hi\n');
  await guest.forget('e1');
  await expect(guest.process('e1')).rejects.toMatchObject({ code: 'no-such-exec' });
  const { state, written } = await guest.process('main');
  expect(state).toBe('running');
  expect(written).toBeLessThanOrEqual(1024 * 1024);
  reader.close();
});

test('acknowledgements of output that was not read are refused on the host', async () => {
  const { guest } = await run(process(['echo', 'hello']));
  const reader = await guest.output('main', 0);
  expect(() => reader.ack(1)).toThrow(RangeError);
  for await (const { offset, data } of reader) reader.ack(offset + data.length);
  expect(() => reader.ack(5)).toThrow(RangeError);
  reader.ack(6);
});

test('leaving the loop or aborting closes the output stream', async () => {
  const { guest } = await run(process(['bytes', '3000000']));
  for await (const chunk of await guest.output('main', 0)) {
    expect(chunk.offset).toBe(0);
    break;
  }
  const abort = new AbortController();
  const reader = await guest.output('main', 0, abort.signal);
  const reading = (async () => {
    for await (const _ of reader) abort.abort(new Error('enough'));
  })();
  await expect(reading).rejects.toThrow('enough');
  await expect(guest.exit('main', abort.signal)).rejects.toThrow('enough');
});

test('a terminal has a size, control characters and one stream', async () => {
  const { guest } = await run(
    process(['tty'], { terminal: true, stdin: true, size: { rows: 5, columns: 7 } }),
  );
  await guest.resize('main', { rows: 30, columns: 100 });
  const stdin = guest.stdin('main');
  stdin.write('q');
  expect((await collect(guest, 'main')).stdout).toBe('5 7\r\n30 100\r\n');
  await guest.startProcess('e1', process(['true'])).catch(() => undefined);
  const { guest: other } = await run(process(['tty'], { terminal: true, stdin: true }));
  other.stdin('main').write('\x03');
  expect(await other.exit('main')).toMatchObject({ exitCode: 130, signal: 'SIGINT' });
});

test('signals reach the process, and a process that has exited refuses them', async () => {
  const { guest } = await run(process(['stubborn']));
  await guest.signal('main', 'SIGTERM');
  await guest.signal('main', '9');
  expect(await guest.exit('main')).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
  expect((await collect(guest, 'main')).stdout).toBe('ignored SIGTERM\n');
  await expect(guest.signal('main', 'SIGTERM')).rejects.toMatchObject({ code: 'conflict' });
});

test('an out-of-memory kill is reported as such', async () => {
  const { guest } = await run(process(['oom']));
  expect(await guest.exit('main')).toMatchObject({ exitCode: 137, oomKilled: true });
});

test('requests sent at the same time are done in their order', async () => {
  const agent = new FakeAgent();
  const guest = await connect(agent);
  const spec = guest.putSpec(
    box(
      process(['cat'], {
        stdin: true,
        env: ['A', 'B', 'C'].map((name) => `${name}=${'x'.repeat(100_000)}`),
      }),
    ),
  );
  const main = guest.startMain();
  const launched = guest.launch('one', process(['echo', 'hello']));
  expect(await spec).toMatch(/^sha256:/);
  expect(await main).toMatchObject({ state: 'running' });
  const { process: started, output, exit } = await launched;
  expect(started).toMatchObject({ id: 'one' });
  const text: Buffer[] = [];
  for await (const { data } of output) text.push(data);
  expect(Buffer.concat(text).toString()).toBe('hello\n');
  expect(await exit).toMatchObject({ exitCode: 0 });
});

test.each([1, 2])('a refused launch reports its error code, with protocol %d', async (version) => {
  const options = { protocol: { minimum: 1, maximum: version } };
  const { guest } = await run(process(['cat'], { stdin: true }), options);
  await expect(guest.launch('one', process(['nothing']))).rejects.toMatchObject({
    code: 'command-not-found',
  });
  const { output, exit } = await guest.launch('two', process(['true']));
  for await (const _ of output) throw new Error('it writes nothing');
  expect(await exit).toMatchObject({ exitCode: 0 });
});

test('a repeated spec is accepted, and another one refused', async () => {
  const { guest } = await run(process(['cat'], { stdin: true }));
  const digest = await guest.putSpec(box(process(['cat'], { stdin: true })));
  expect(digest).toMatch(/^sha256:/);
  expect(await guest.state()).toMatchObject({ spec: digest, processes: [{ state: 'running' }] });
  const other = guest.putSpec(box(process(['true'])));
  await expect(other).rejects.toMatchObject({ code: 'conflict' });
});

test('resource limits are replaced as a whole, and appear in the counters', async () => {
  const { agent, guest } = await run(process(['sleep', 'infinity']));
  expect(agent.resources).toEqual({});
  await guest.putResources({ memoryBytes: 64 * 1024 * 1024, pids: 9, cpuWeight: 50 });
  expect(agent.resources).toEqual({ memoryBytes: 64 * 1024 * 1024, pids: 9, cpuWeight: 50 });
  expect(await guest.stats()).toMatchObject({
    pids: 1,
    detail: { memoryLimitBytes: 64 * 1024 * 1024, pidsLimit: 9 },
  });
  await guest.putResources({});
  expect((await guest.stats()).detail?.pidsLimit).toBe(0);
});

test('limits that the guest refuses are reported in its words', async () => {
  const refuseResources = new FakeRefusal('conflict', 'the guest has less memory');
  const { agent, guest } = await run(process(['sleep', 'infinity']), { refuseResources });
  await expect(guest.putResources({ pids: 1 })).rejects.toMatchObject({
    code: 'conflict',
    message: 'the guest has less memory',
  });
  expect(agent.resources).toEqual({});
});

test('a guest lists the processes of its box', async () => {
  const { guest } = await run(process(['/bin/sleep', 'infinity']));
  await guest.startProcess('e1', process(['cat'], { stdin: true }));
  const processes = await guest.top();
  expect(processes.map(({ pid, user, name, args }) => ({ pid, user, name, args }))).toEqual([
    { pid: 1, user: 'root', name: 'sleep', args: ['/bin/sleep', 'infinity'] },
    { pid: 2, user: 'root', name: 'cat', args: ['cat'] },
  ]);
});

test('a frozen box starts no process, and takes signals other than SIGKILL once it is thawed', async () => {
  const { agent, guest } = await run(process(['sleep', 'infinity']));
  await guest.startProcess('e1', process(['sleep', 'infinity']));
  await guest.freeze();
  expect(agent.frozen).toBe(true);
  await guest.signal(MAIN, 'SIGTERM');
  await guest.signal('e1', 'SIGKILL');
  expect(await guest.ended('e1')).toMatchObject({ signal: 'SIGKILL' });
  await expect(guest.startProcess('e2', process(['true']))).rejects.toMatchObject({
    ...{ code: 'conflict', guestCode: 'frozen' },
  });
  expect((await guest.process(MAIN)).state).toBe('running');
  await guest.thaw();
  expect(await guest.ended(MAIN)).toMatchObject({ exitCode: 143, signal: 'SIGTERM' });
});

test('a probe reports its exit code, and is killed with its process group', async () => {
  const { agent, guest } = await run(process(['sleep', 'infinity']));
  Object.assign(agent.probe, { outcome: 3, output: 'sick' });
  const first = await guest.launch('p1', process(['sh', '-c', 'probe']), undefined, {
    group: true,
  });
  expect(await first.exit).toMatchObject({ exitCode: 3 });
  expect(agent.grouped).toEqual(new Set(['p1']));
  agent.probe.outcome = 'hang';
  const second = await guest.launch('p2', process(['probe']));
  await expect.poll(() => agent.probe.running).toBe(1);
  await guest.signal('p2', 'SIGKILL');
  expect(await second.exit).toMatchObject({ exitCode: 137 });
  expect(agent.probe.runs).toBe(2);
});

test('requests of protocol 4 are refused on the host when the agent is older', async () => {
  const { guest } = await run(process(['sleep', 'infinity']), {
    protocol: { minimum: 1, maximum: 3 },
  });
  expect([guest.speaks(3), guest.speaks(4)]).toEqual([true, false]);
  const refused = {
    code: 'agent-failed',
    message: expect.stringContaining('speaks protocol 3'),
    remedy: expect.stringContaining('Restart the box'),
  };
  await expect(guest.ended(MAIN)).rejects.toMatchObject(refused);
  await expect(guest.putResources({})).rejects.toMatchObject(refused);
  await expect(guest.top()).rejects.toMatchObject(refused);
  const grouped = guest.startProcess('e1', process(['true']), undefined, { group: true });
  await expect(grouped).rejects.toMatchObject(refused);
  expect((await guest.stats()).detail).toBeUndefined();
});
