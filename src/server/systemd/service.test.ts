import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { notify } from './notify.ts';
import { Service } from './service.ts';
import { UnixSocket } from './testing/unix-socket.ts';

let directory: string;
const opened: UnixSocket[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-notify-'));
});
afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
  rmSync(directory, { recursive: true });
});

function open(name: string): UnixSocket {
  const socket = new UnixSocket('datagram', name);
  opened.push(socket);
  return socket;
}

it.each(['path', 'abstract'])('notifies a service manager at a %s socket', async (kind) => {
  const name = kind === 'path' ? join(directory, 'notify') : `@a3s-notify-${process.pid}`;
  const manager = open(name);
  const service = new Service({ notifySocket: name, watchdogMs: undefined, listening: [] });
  await service.ready(1);
  expect(manager.receive()).toBe('READY=1\nSTATUS=Serving 1 box');
  await service.stopping();
  await service.stopping();
  expect(manager.receive()).toBe('STOPPING=1\nSTATUS=Stopping');
  await service.failed('one\ntwo');
  expect(manager.receive()).toBe('STATUS=one two');
  expect(manager.receive()).toBeUndefined();
});

it('sends watchdog notifications once it is ready', async () => {
  const name = join(directory, 'notify');
  const manager = open(name);
  const service = new Service({ notifySocket: name, watchdogMs: 40, listening: [] });
  await service.ready(0);
  expect(manager.receive()).toMatch(/^READY=1/);
  for (const _ of [1, 2, 3]) {
    await expect.poll(() => manager.receive(), { timeout: 60_000 }).toBe('WATCHDOG=1');
  }
});

it('ignores a missing or impossible notification socket', async () => {
  expect(await notify(join(directory, 'nobody'), ['READY=1'])).toBe(false);
  expect(await notify(`/${'x'.repeat(200)}`, ['READY=1'])).toBe(false);
  await new Service({ notifySocket: undefined, watchdogMs: 1, listening: [] }).ready(0);
});

it('waits for a service manager whose queue is full', async () => {
  const name = join(directory, 'notify');
  const manager = open(name);
  // The kernel queues this many messages: later senders wait.
  const kept = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'utf8'));
  const senders = kept + 100;
  const notified = Array.from({ length: senders }, (_, index) => notify(name, [`STATUS=${index}`]));
  let received = 0;
  await expect
    .poll(
      () => {
        while (manager.receive() !== undefined) received += 1;
        return received;
      },
      { timeout: 60_000, interval: 5 },
    )
    .toBe(senders);
  expect(new Set(await Promise.all(notified))).toEqual(new Set([true]));
});
