import { type FSWatcher, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { InotifyQueue } from './inotify-queue.ts';

let directory: string;
let watcher: FSWatcher | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'queue-'));
});
afterEach(() => {
  watcher?.close();
  rmSync(directory, { recursive: true });
});

it('says to all that follow when nearly as many events came at once as the queue holds', async () => {
  const queue = new InotifyQueue(100);
  const [first, second, gone] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
  queue.follow(first);
  queue.follow(second);
  queue.follow(gone)();
  for (let turn = 0; turn < 3; turn += 1) {
    for (let event = 0; event < 74; event += 1) queue.count();
    await immediate();
  }
  expect(first).not.toHaveBeenCalled();
  for (let event = 0; event < 75; event += 1) queue.count();
  await immediate();
  expect([first, second, gone].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 0]);
});

it("finds that the kernel's own queue was full", async () => {
  const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  const queue = new InotifyQueue();
  const lost = vi.fn<() => void>();
  queue.follow(lost);
  watcher = watch(directory, () => queue.count());
  const files = [join(directory, 'one'), join(directory, 'two')];
  for (let write = 0; write < limit; write += 2) {
    for (const file of files) writeFileSync(file, '');
  }
  await vi.waitFor(() => expect(lost).toHaveBeenCalled(), { timeout: 30_000 });
});
