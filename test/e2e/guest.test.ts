// The client of the guest protocol against the agent itself: what the fake agent stands for in the
// unit tests.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { BOX_SPEC_SCHEMA, type BoxSpec, type ProcessSpec } from '@a3s-box/policies';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Vm } from '../../src/engine/vm/vm.ts';
import { connectGuest } from '../../src/guest/connection.ts';
import type { OutputChunk } from '../../src/guest/frame.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { until } from './processes.ts';
import { bootBusybox, processOf } from './support/busybox-guest.ts';
import { closeEngines } from './support/engines.ts';
import { within } from './support/within.ts';
import { scaled } from './time-scale.ts';

const deadlineMs = scaled(120_000);
const { signal } = new AbortController();

let root: string;
let vm: Vm;
let guest: Guest;
let count = 0;

const spec: BoxSpec = {
  schema: BOX_SPEC_SCHEMA,
  hostname: 'box',
  rootfs: { layers: [{ serial: 'layer-0' }], changes: { kind: 'memory' }, readonly: false },
  process: processOf(['sh', '-c', 'echo ready; exec sleep 1000']),
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

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'guest-'));
  ({ vm, guest } = await bootBusybox(root, ['sh', 'sleep', 'cat', 'dd', 'stty', 'echo', 'true']));
  const digest = await guest.putSpec(spec);
  expect(digest).toBe(`sha256:${createHash('sha256').update(JSON.stringify(spec)).digest('hex')}`);
  expect(await guest.process('main')).toMatchObject({ state: 'created', startedAt: null, pid: 0 });
  expect(await guest.startMain()).toMatchObject({ state: 'running', pid: 1 });
});

afterAll(async () => {
  guest?.close();
  await vm?.kill();
  await closeEngines();
  await rm(root, { recursive: true });
});

async function start(args: string[], more: Partial<ProcessSpec> = {}): Promise<string> {
  const id = `e${++count}`;
  await within(`the start of ${args[0]}`, guest.startProcess(id, processOf(args, more)));
  return id;
}

async function collect(id: string, offset = 0): Promise<Buffer> {
  const reader = await guest.output(id, offset);
  const pieces: Buffer[] = [];
  for await (const chunk of reader) {
    pieces.push(chunk.data);
    reader.ack(chunk.offset + chunk.data.length);
  }
  return Buffer.concat(pieces);
}

it('passes input through unchanged, and closes it at its end', async () => {
  const id = await start(['cat'], { stdin: true });
  const data = randomBytes(5_000_000);
  const stdin = guest.stdin(id);
  stdin.end(data);
  expect((await collect(id)).equals(data)).toBe(true);
  await finished(stdin);
  expect(await guest.exit(id)).toMatchObject({ exitCode: 0, signal: null });
  await guest.forget(id);
  await expect(guest.process(id)).rejects.toMatchObject({ code: 'no-such-exec' });
});

it('drops input that the process does not read, without an error', async () => {
  const id = await start(['true'], { stdin: true });
  const stdin = guest.stdin(id);
  stdin.end(Buffer.alloc(20_000_000));
  await finished(stdin);
  expect(await stdin.processClosed).toBe(true);
});

/** Reads so much of an output: the bytes of one write may come in pieces. */
async function read(output: AsyncIterator<OutputChunk>, text: string): Promise<string> {
  let seen = '';
  while (seen.length < text.length) {
    const { value, done } = await output.next();
    if (done === true) break;
    seen += value.data.toString();
  }
  return seen;
}

/**
 * Whether the input takes this writer: the agent sees a little later that another one has let go.
 */
async function takes(id: string, text: string): Promise<boolean> {
  const writer = guest.stdin(id);
  writer.end(text);
  return await within('the agent answers a writer', finished(writer)).then(
    () => true,
    (error: unknown) => {
      expect(error).toMatchObject({ code: 'conflict' });
      return false;
    },
  );
}

it('lets the next writer take the input once the first one disconnects', async () => {
  const id = await start(['cat'], { stdin: true });
  const first = guest.stdin(id);
  await within('the first write', new Promise((written) => first.write('one ', written)));
  const second = within('the agent refuses a second writer', finished(guest.stdin(id)));
  await expect(second).rejects.toMatchObject({ code: 'conflict' });
  const reader = await within('the output', guest.output(id, 0));
  const output = reader[Symbol.asyncIterator]();
  expect(await within('the first output', read(output, 'one '))).toBe('one ');
  first.destroy();
  await until('the first writer has let go', () => takes(id, 'two'));
  expect(await within('the second output', read(output, 'two'))).toBe('two');
  expect((await within('the end of the output', output.next())).done).toBe(true);
});

it('runs a terminal with a size and control characters', async () => {
  const size = { rows: 11, columns: 22 };
  const options = { terminal: true, stdin: true, size };
  const id = await start(['sh', '-c', 'stty size; read x; stty size; sleep 1000'], options);
  const stdin = guest.stdin(id);
  const reader = await guest.output(id, 0);
  let seen = '';
  for await (const chunk of reader) {
    seen += chunk.data.toString();
    if (seen === '11 22\r\n') {
      await guest.resize(id, { rows: 33, columns: 44 });
      stdin.write('\r');
    }
    if (seen.endsWith('33 44\r\n')) stdin.write('\x03');
  }
  expect(seen).toContain('33 44\r\n');
  expect(await guest.exit(id)).toMatchObject({ exitCode: 130, signal: 'SIGINT' });
});

it.each([
  ['command-not-found', processOf(['nowhere'])],
  ['command-not-executable', processOf(['/bin'])],
  ['user-not-found', processOf(['true'], { user: 'ghost' })],
  ['cwd-invalid', processOf(['true'], { cwd: '/missing' })],
])('answers a start that fails with the code %s', async (code, process) => {
  await expect(guest.startProcess('refused', process)).rejects.toMatchObject({ code });
});

it('keeps output for the next host without a gap, and blocks the process meanwhile', async () => {
  const size = 3_000_000;
  const id = await start(['dd', 'if=/dev/urandom', `bs=${size}`, 'count=1', 'iflag=fullblock']);
  const reader = await guest.output(id, 0);
  const first: Buffer[] = [];
  let end = 0;
  for await (const chunk of reader) {
    first.push(chunk.data);
    end = chunk.offset + chunk.data.length;
    reader.ack(end);
    if (end > 500_000) break;
  }
  guest.close();
  await guest.closed;
  guest = await connectGuest(vm, { signal, deadlineMs });
  const { spec: digest, processes } = await guest.state();
  expect(digest).toMatch(/^sha256:/);
  const found = processes.find((process) => process.id === id);
  expect(found?.acknowledged).toBeLessThanOrEqual(end);
  expect(Number(found?.written) - Number(found?.acknowledged)).toBeLessThanOrEqual(2 ** 20);
  const rest = await collect(id, end);
  // Standard error, where dd reports, is part of the same sequence of bytes.
  expect(Buffer.concat([...first, rest]).length).toBeGreaterThanOrEqual(size);
  expect(await guest.exit(id)).toMatchObject({ exitCode: 0 });
  await expect(guest.output(id, 0)).rejects.toMatchObject({ code: 'agent-failed' });
});

it('powers off on request', async () => {
  await guest.poweroff();
  expect(await vm.exited).toMatchObject({ reason: 'poweroff' });
  await guest.closed;
});
