import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import * as z from 'zod';
import { QmpClient, type QmpEvent } from './qmp.ts';

const GREETING = '{"QMP":{"version":{"qemu":{"micro":13,"minor":0,"major":10},"package":""}}}\r\n';
const never = new AbortController().signal;

let directory: string;
let server: Server;
let socket: string;
/** How the fake QEMU handles each line; by default it returns an empty object. */
let answer: (line: string, peer: Socket) => void;
let greeting: string;
const events: QmpEvent[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'qmp-'));
  socket = join(directory, 'qmp.sock');
  greeting = GREETING;
  answer = reply('{}');
  events.length = 0;
  server = createServer((peer) => {
    peer.on('error', () => peer.destroy());
    peer.write(greeting);
    let text = '';
    peer.on('data', (chunk) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        answer(text.slice(0, end), peer);
        text = text.slice(end + 1);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

function reply(value: string) {
  return (line: string, peer: Socket): void => {
    const { id } = z.object({ id: z.int() }).parse(JSON.parse(line));
    peer.write(`{"return": ${value}, "id": ${id}}\r\n`);
  };
}

async function client(): Promise<QmpClient> {
  return QmpClient.connect(socket, (event) => events.push(event), never);
}

it('runs a QMP command and parses its return value', async () => {
  const qmp = await client();
  answer = reply('{"status":"running"}');
  const status = await qmp.execute('query-status', {}, z.object({ status: z.string() }));
  expect(status).toEqual({ status: 'running' });
  qmp.close();
});

it('delivers QMP events, also between a command and its answer', async () => {
  const qmp = await client();
  answer = (line, peer) => {
    peer.write('{"event":"STOP","timestamp":{}}\r\n{"event":"SHUTDOWN","data":{"guest":true}}\n');
    reply('{}')(line, peer);
  };
  await qmp.execute('stop', {}, z.unknown());
  expect(events).toEqual([
    { name: 'STOP', data: undefined },
    { name: 'SHUTDOWN', data: { guest: true } },
  ]);
  qmp.close();
});

it('matches answers to commands by id, in whatever order they arrive', async () => {
  const qmp = await client();
  const lines: string[] = [];
  answer = (line, peer) => {
    if (lines.push(line) < 2) return;
    for (const each of lines.reverse()) {
      const { execute } = z.object({ execute: z.string() }).parse(JSON.parse(each));
      reply(JSON.stringify(execute))(each, peer);
    }
  };
  const answers = ['add-fd', 'query-status'].map((name) => qmp.execute(name, {}, z.string()));
  expect(await Promise.all(answers)).toEqual(['add-fd', 'query-status']);
  qmp.close();
});

it('reports what QEMU refused, in QEMU’s words', async () => {
  const qmp = await client();
  answer = (_, peer) => peer.write('{"id":2,"error":{"class":"GenericError","desc":"No bus"}}\n');
  await expect(qmp.execute('device_add', {}, z.unknown())).rejects.toMatchObject({
    code: 'vmm-failed',
    message: 'QEMU refused device_add: No bus',
  });
  qmp.close();
});

it.each([
  ['an answer to another command', '{"return":{},"id":99}\n', 'something that is no answer'],
  ['an unknown document', '{"hello":1}\n', 'something that is no answer'],
  ['no JSON', 'garbage\n', 'something that is no answer'],
  ['a line without end', 'x'.repeat(1 << 21), 'a line is too long'],
])('closes the QMP connection on %s', async (_, bytes, why) => {
  const qmp = await client();
  answer = (_line, peer) => peer.write(bytes);
  await expect(qmp.execute('stop', {}, z.unknown())).rejects.toThrow(why);
  await qmp.closed;
  await expect(qmp.execute('cont', {}, z.unknown())).rejects.toThrow(why);
});

it('rejects a return value of the wrong form, and goes on', async () => {
  const qmp = await client();
  answer = reply('[]');
  await expect(qmp.execute('x', {}, z.object({}))).rejects.toThrow('in an unknown form');
  expect(await qmp.execute('x', {}, z.array(z.unknown()))).toEqual([]);
  qmp.close();
});

it('refuses a QMP server that sends no greeting', async () => {
  greeting = '{"return":{}}\n';
  await expect(client()).rejects.toThrow('it did not greet');
});

it('waits for a missing QMP socket until the signal is aborted', async () => {
  const missing = join(directory, 'later.sock');
  const reason = new Error('enough');
  const controller = new AbortController();
  const waiting = QmpClient.connect(missing, () => undefined, controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

it('stops waiting for a QMP greeting when the signal is aborted', async () => {
  greeting = '';
  const controller = new AbortController();
  const waiting = QmpClient.connect(socket, () => undefined, controller.signal);
  server.once('connection', () => controller.abort(new Error('enough')));
  await expect(waiting).rejects.toThrow('enough');
});

it('rejects pending commands when the VMM dies', async () => {
  const qmp = await client();
  answer = (_, peer) => peer.destroy();
  await expect(qmp.execute('stop', {}, z.unknown())).rejects.toThrow('closed the connection');
});

it(
  'survives arbitrary bytes from QEMU, and answers or refuses every command',
  async () => {
    await fuzz(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(8), async (bytes, cut) => {
        const qmp = await client();
        answer = (_, peer) => {
          peer.write(bytes.subarray(0, cut));
          peer.end(Buffer.concat([bytes.subarray(cut), Buffer.from('\n')]));
        };
        const settled = await Promise.allSettled([qmp.execute('stop', {}, z.unknown())]);
        expect(settled[0].status).toBe('rejected');
        await qmp.closed;
        answer = reply('{}');
      }),
    );
  },
  FUZZ_TIMEOUT,
);
