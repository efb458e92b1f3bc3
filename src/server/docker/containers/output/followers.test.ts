import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

const LAZY = 800;
const EAGER = 200;
const MEGABYTE = 2 ** 20;

const home = new TestHome();
const warnings: Error[] = [];
const note = (warning: Error): void => void warnings.push(warning);
const sockets: Socket[] = [];
let box: string;
let input: Socket;

beforeAll(async () => {
  process.on('warning', note);
  await home.start();
  box = await home.create(['cat'], { OpenStdin: true });
  await home.call('POST', `/containers/${box}/start`);
  input = dial();
  const head = `POST /containers/${box}/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: x\r\n`;
  input.write(`${head}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  await new Promise((resolve) => input.once('data', resolve));
}, 120_000);
afterAll(async () => {
  process.off('warning', note);
  for (const socket of sockets) socket.destroy();
  await home.remove();
});

function dial(): Socket {
  const socket = connect(home.config.socket);
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

function follow(): Socket {
  const socket = dial();
  socket.write(`GET /containers/${box}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

/** Open descriptors of this process, which has both ends of each connection. */
function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

async function lastLineLogged(): Promise<void> {
  await expect
    .poll(
      async () => {
        const answer = await home.call('GET', `/containers/${box}/logs?stdout=1&tail=1`);
        return String(answer.body);
      },
      { timeout: 120_000 },
    )
    .toContain('the last line');
}

it('serves a thousand followers, some of which read nothing, with little memory and no files', async () => {
  const lazy = Array.from({ length: LAZY }, follow);
  const eager = Array.from({ length: EAGER }, follow);
  const received = eager.map((socket) => {
    const sum = { bytes: 0, last: '' };
    socket.on('data', (chunk: Buffer) => {
      sum.bytes += chunk.length;
      sum.last = (sum.last + chunk.toString('latin1')).slice(-200);
    });
    return sum;
  });
  await Promise.all(
    lazy.map(async (socket) => {
      await new Promise((resolve) => socket.once('readable', resolve));
      socket.pause();
    }),
  );
  await expect
    .poll(() => received.every(({ bytes }) => bytes > 0), { timeout: 120_000 })
    .toBe(true);
  const files = openFiles();
  const before = process.memoryUsage().rss;
  const line = `${'x'.repeat(1023)}\n`;
  for (let each = 0; each < 512; each += 1) {
    if (!input.write(line)) await new Promise((resolve) => input.once('drain', resolve));
  }
  input.write('the last line\n');
  await lastLineLogged();
  await expect
    .poll(() => received.filter(({ last }) => !last.includes('the last line')).length, {
      timeout: 120_000,
    })
    .toBe(0);
  expect(openFiles() - files).toBeLessThan(100);
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * MEGABYTE);
  for (const socket of lazy) socket.resume();
  expect(warnings).toEqual([]);
  expect((await home.call('GET', '/_ping')).status).toBe(200);
}, 240_000);
