import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, type Mock, vi } from 'vitest';
import { connectGuest } from '../../guest/connection.ts';
import type { Guest } from '../../guest/guest.ts';
import { FakeAgent } from '../../guest/testing/fake-agent.ts';
import { fakeVm } from '../../guest/testing/fake-vm.ts';
import { type Database, openDatabase } from '../../state/database.ts';
import { BOX_MIGRATIONS, BoxStore } from '../record/store.ts';
import { Events } from '../services/events.ts';
import type { Logger } from '../services/services.ts';
import { testDefinition } from '../testing/definition.ts';
import { EventRate } from './event-rate.ts';
import { InotifyQueue } from './inotify-queue.ts';
import { ShareWatch } from './share-watch.ts';
import { watchBinds } from './watch-binds.ts';

const ID = `1${'a'.repeat(63)}`;

let directory: string;
let database: Database;
let store: BoxStore;
let events: Events;
let log: { info: Mock<Logger['info']>; error: Mock<Logger['error']> };
let agent: FakeAgent;
let guest: Guest;
let ended: AbortController;
let watching: Promise<void>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'watch-'));
  for (const name of ['first', 'readonly', 'second']) await mkdir(join(directory, name));
  database = openDatabase(join(directory, 'state.db'), BOX_MIGRATIONS);
  store = new BoxStore(database);
  events = new Events();
  log = { info: vi.fn<Logger['info']>(), error: vi.fn<Logger['error']>() };
  ended = new AbortController();
  watching = Promise.resolve();
});
afterEach(async () => {
  ended.abort(new Error('the box has ended'));
  await watching;
  vi.restoreAllMocks();
  guest.close();
  agent.kill();
  database.close();
  await rm(directory, { recursive: true });
});

const bind = (name: string, readonly = false) => {
  const source = join(directory, name);
  return { source, realPath: source, destination: `/${name}`, readonly };
};

/** Runs a box and watches its bind mounts. */
async function run(
  binds = [bind('first'), bind('readonly', true), bind('second')],
  { rate = new EventRate(), version = 9, queue = new InotifyQueue() } = {},
): Promise<void> {
  agent = new FakeAgent(version === 9 ? {} : { protocol: { minimum: 1, maximum: version } });
  guest = await connectGuest(fakeVm(agent), { signal: ended.signal, deadlineMs: 30_000 });
  store.insert({ ...testDefinition(ID), binds }, 'one');
  store.advance(ID, 'start', { run: 1 });
  store.advance(ID, 'started', { pid: 7 });
  const running = { id: ID, signal: ended.signal, guest: async () => guest };
  watching = watchBinds({ events, log, store }, running, { settleMs: 0, rate, queue });
}

/** Writes to a file until the box is told of it: the watch may not have begun. */
async function writeUntilReported(path: string, share: string, reported: string): Promise<void> {
  let writes = 0;
  await vi.waitFor(
    async () => {
      writes += 1;
      await writeFile(join(directory, path), String(writes));
      expect(agent.files.reported).toContainEqual({ share, path: reported });
    },
    { timeout: 30_000, interval: 200 },
  );
}

const reportedPaths = (): string[] => agent.files.reported.map(({ path }) => path);

it('tells a box of what changes in the shares that it may write to', async () => {
  await run();
  await writeUntilReported('second/file', 'bind-2', 'file');
  await writeFile(join(directory, 'readonly/file'), '');
  await writeUntilReported('first/end', 'bind-0', 'end');
  expect(agent.files.reported.filter(({ share }) => share === 'bind-1')).toEqual([]);
  expect(log.error).not.toHaveBeenCalled();
});

it('tells a paused box of nothing until it goes on', async () => {
  await run();
  await writeUntilReported('first/file', 'bind-0', 'file');
  store.advance(ID, 'pause');
  await writeFile(join(directory, 'first/meanwhile'), '');
  const sent = vi.spyOn(guest, 'reportChanges');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(sent).not.toHaveBeenCalled();
  store.advance(ID, 'unpause');
  await vi.waitFor(() => expect(reportedPaths()).toContain('meanwhile'), { timeout: 30_000 });
});

it('tells an agent of an earlier version of nothing, and watches nothing', async () => {
  await run(undefined, { version: 7 });
  await watching;
  expect(log.error).not.toHaveBeenCalled();
});

it('reports a file again whose report has failed, and says that it failed', async () => {
  await run();
  await writeUntilReported('first/file', 'bind-0', 'file');
  const sent = vi.spyOn(guest, 'reportChanges').mockRejectedValueOnce(new Error('not now'));
  await writeFile(join(directory, 'first/other'), 'one');
  await vi.waitFor(() => expect(log.error).toHaveBeenCalledTimes(1), { timeout: 30_000 });
  expect(log.error).toHaveBeenCalledWith(
    'a box was not told of changed files',
    new Error('not now'),
    {
      box: ID,
    },
  );
  await writeUntilReported('first/other', 'bind-0', 'other');
  expect(sent.mock.calls.length).toBeGreaterThan(1);
});

it('leaves a box that changes too much alone for a while, says so, and then reports the root', async () => {
  await run([bind('first')], { rate: new EventRate(20, 500) });
  await writeUntilReported('first/file', 'bind-0', 'file');
  const published = events.follow({ since: 0n, until: undefined }, ended.signal);
  for (let index = 0; index < 60; index += 1) {
    await writeFile(join(directory, 'first', String(index)), '');
  }
  expect((await published.next()).value).toMatchObject({
    ...{ action: 'watch-limited', id: ID },
    attributes: { reason: 'too many changes at once' },
  });
  await vi.waitFor(() => expect(reportedPaths()).toContain(''), { timeout: 30_000 });
  await writeUntilReported('first/later', 'bind-0', 'later');
});

it('leaves a box alone for a while whose directories cost too much, but not at the start', async () => {
  const rate = new EventRate(undefined, 500);
  vi.spyOn(rate, 'countWalk').mockReturnValueOnce(false).mockReturnValueOnce(true);
  await mkdir(join(directory, 'first/a/b/c'), { recursive: true });
  await run([bind('first')], { rate });
  await writeUntilReported('first/file', 'bind-0', 'file');
  expect(rate.countWalk).not.toHaveBeenCalled();
  const published = events.follow({ since: 0n, until: undefined }, ended.signal);
  await rename(join(directory, 'first/a'), join(directory, 'first/z'));
  expect((await published.next()).value).toMatchObject({
    attributes: { reason: 'too many directories come and go' },
  });
  await vi.waitFor(() => expect(reportedPaths()).toContain(''), { timeout: 30_000 });
  await writeUntilReported('first/z/b/c/later', 'bind-0', 'z/b/c/later');
});

it('watches anew, and reports the root, when another box has filled the queue', async () => {
  const queue = new InotifyQueue(1000);
  await mkdir(join(directory, 'first/sub'));
  await run([bind('first')], { rate: new EventRate(undefined, 500), queue });
  await writeUntilReported('first/file', 'bind-0', 'file');
  const published = events.follow({ since: 0n, until: undefined }, ended.signal);
  for (let event = 0; event < 1000; event += 1) queue.count();
  expect((await published.next()).value).toMatchObject({
    attributes: { reason: expect.stringContaining('the kernel may have dropped changes') },
  });
  await vi.waitFor(() => expect(reportedPaths()).toContain(''), { timeout: 30_000 });
  await writeUntilReported('first/sub/later', 'bind-0', 'sub/later');
});

it('does not watch what a link leads to that has taken the place of a source', async () => {
  await rm(join(directory, 'first'), { recursive: true });
  await symlink(join(directory, 'second'), join(directory, 'first'));
  await run([bind('first')]);
  await watching;
  expect(log.error).toHaveBeenCalledWith(
    'a bind mount of a box is not watched',
    expect.objectContaining({ code: 'ELOOP' }),
    { box: ID, share: 'bind-0' },
  );
});

it('watches the other shares, and says so, when one cannot be opened, started or looked at', async () => {
  const { start, take } = ShareWatch.prototype;
  const fails = new Set(['start bind-1', 'take bind-2']);
  vi.spyOn(ShareWatch.prototype, 'start').mockImplementation(async function (this: ShareWatch) {
    await start.call(this);
    if (fails.has(`start ${this.tag}`)) throw new Error('EMFILE: too many open files');
  });
  vi.spyOn(ShareWatch.prototype, 'take').mockImplementation(async function (
    this: ShareWatch,
    most,
  ) {
    if (fails.has(`take ${this.tag}`)) throw new Error('EIO: i/o error');
    return await take.call(this, most);
  });
  const before = await watches();
  const published = events.follow({ since: 0n, until: undefined }, ended.signal);
  await run([bind('gone'), bind('readonly'), bind('second'), bind('first')]);
  await writeUntilReported('first/file', 'bind-3', 'file');
  await writeFile(join(directory, 'second/file'), '');
  for (const reason of ['ENOENT', 'EMFILE', 'EIO']) {
    expect((await published.next()).value).toMatchObject({
      ...{ action: 'watch-limited', attributes: { reason: expect.stringContaining(reason) } },
    });
  }
  await writeUntilReported('first/other', 'bind-3', 'other');
  expect(await watches()).toBe(before + 1);
});

/** How many inotify watches this process has. */
async function watches(): Promise<number> {
  const infos = (await readdir('/proc/self/fdinfo')).map(async (fd) => {
    return await readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => '');
  });
  return (await Promise.all(infos)).join('').match(/^inotify wd:/gm)?.length ?? 0;
}

it('leaves no watch when there are too many changes while it starts', async () => {
  const before = await watches();
  const rate = new EventRate(20, 200);
  const { start } = ShareWatch.prototype;
  const started: string[] = [];
  vi.spyOn(ShareWatch.prototype, 'start').mockImplementation(async function (this: ShareWatch) {
    await start.call(this);
    started.push(this.tag);
    if (started.length > 1) return;
    for (let index = 0; index < 60; index += 1) {
      await writeFile(join(directory, 'first', String(index)), '');
    }
  });
  await run([bind('first'), bind('second')], { rate });
  await writeUntilReported('second/file', 'bind-1', 'file');
  expect(started).toEqual(['bind-0', 'bind-0', 'bind-1']);
  expect(await watches()).toBe(before + 2);
  ended.abort(new Error('the box has ended'));
  await watching;
  expect(await watches()).toBe(before);
});
