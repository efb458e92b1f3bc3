import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UnixSocket } from '../systemd/testing/unix-socket.ts';
import { Foreground } from './foreground.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-foreground-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('notifies the service manager of the stop before it stops the boxes', async () => {
  const name = join(directory, 'notify');
  const manager = new UnixSocket('datagram', name);
  try {
    const foreground = new Foreground({ NOTIFY_SOCKET: name }, process.pid, process.stderr);
    await foreground.hostStops();
    const received = expect.poll(() => manager.receive(), { timeout: 60_000, interval: 5 });
    await received.toBe('STOPPING=1\nSTATUS=Stopping');
  } finally {
    manager.close();
  }
});
