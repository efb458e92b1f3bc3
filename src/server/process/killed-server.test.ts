/**
 * Real processes, killed with SIGKILL at ever later moments of what they do with the files of a
 * box. Images are in `src/images/crash.test.ts`, boxes that outlive their server beside this file.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../testing/images.ts';
import { FILLED, KILLED_BOX, LATER } from '../testing/killed-server-files.ts';

const LONG = { timeout: 600_000 };
const DEADLINE = { timeout: 60_000 };
let programs: string;
beforeAll(async () => {
  // Below the sources, so that modules which are not bundled resolve.
  const build = fileURLToPath(new URL('../../../build/', import.meta.url));
  mkdirSync(build, { recursive: true });
  programs = mkdtempSync(join(build, 'killed-'));
  await bundle({
    entryPoints: [fileURLToPath(new URL('../testing/killed-server.ts', import.meta.url))],
    ...{ outdir: programs, outExtension: { '.js': '.mjs' }, bundle: true, packages: 'external' },
    ...{ platform: 'node', target: 'node20', format: 'esm', logLevel: 'error' },
  });
});
afterAll(() => rmSync(programs, { recursive: true, force: true }));

/** Each moment is so many times later than the one before: an operation makes some 200 changes. */
const LATER_BY = process.env['SOAK'] === undefined ? 4 : 1.7;

let home: TestHome | undefined;
let root: string | undefined;
afterEach(async () => {
  await home?.remove();
  home = undefined;
  // Where the home was never opened.
  if (root !== undefined) rmSync(root, { recursive: true, force: true });
  root = undefined;
});

/**
 * Has another process do it in a new home, and kills it after `moment` changes below the home.
 *
 * @returns whether it was done before
 */
async function killed(directory: string, what: string, moment: number): Promise<boolean> {
  const child = fork(join(programs, 'killed-server.mjs'), [directory, what], {
    execArgv: [],
    stdio: 'inherit',
  });
  const ended = once(child, 'exit');
  const watchers: FSWatcher[] = [];
  try {
    const ready = await Promise.race([once(child, 'message'), ended]);
    expect(ready).toEqual(['ready', undefined]);
    let changes = 0;
    for (const each of directoriesOf(join(directory, 'home'))) {
      const watcher = watch(each, () => {
        changes += 1;
        if (changes === moment) child.kill('SIGKILL');
      });
      watchers.push(watcher);
    }
    child.send('go');
    const [code, signal] = await ended;
    // An operation that fails by itself was not killed.
    if (code !== 0) expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
    return code === 0;
  } finally {
    for (const watcher of watchers) watcher.close();
    child.kill('SIGKILL');
    await ended;
  }
}

function directoriesOf(directory: string): string[] {
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  return [directory, ...below.flatMap(({ name }) => directoriesOf(join(directory, name)))];
}

/** Kills it at ever later moments, until it completes first. */
async function atEveryMoment(what: string, check: (finished: boolean) => Promise<void>) {
  let finished = false;
  let kills = 0;
  for (let moment = 1; !finished; moment = Math.ceil(moment * LATER_BY)) {
    root = mkdtempSync(join(tmpdir(), 'a3s-killed-'));
    finished = await killed(root, what, moment);
    if (!finished) kills += 1;
    home = new TestHome(new FakeImages(TEST_IMAGE), root);
    // The microVMs of the fakes have ended with their process.
    home.adoption = { attempts: 1, pauseMs: 10, serveAfterMs: 60_000 };
    await home.start();
    nothingIsLeft();
    await check(finished);
    nothingIsLeft();
    await home.remove();
    home = undefined;
  }
  expect(kills).toBeGreaterThan(0);
}

const present = (): TestHome => home ?? expect.fail('there is no home');
const boxPath = (id: string, ...more: string[]) =>
  join(present().config.home, 'boxes', id, ...more);
const list = (directory: string): string[] => {
  const path = join(present().config.home, directory);
  return existsSync(path) ? readdirSync(path).sort() : [];
};
const idOf = (name: string) => present().runtime.store.byName(name)?.definition.id;
const snapshots = () => present().runtime.snapshots.list();

/** Each directory has a record, and each record its directory. */
function nothingIsLeft(): void {
  const { store } = present().runtime;
  expect(list('boxes')).toEqual(
    store
      .list()
      .map(({ definition }) => definition.id)
      .sort(),
  );
  expect(list('snapshots')).toEqual(
    snapshots()
      .map(({ id }) => id)
      .sort(),
  );
}

/** Starts a box, and returns the files of its disk, of which each is there. */
async function startedDisk(name: string): Promise<string[]> {
  const id = idOf(name) ?? expect.fail(`there is no ${name}`);
  await expect
    .poll(() => present().runtime.store.expect(id).state.status, DEADLINE)
    .toMatch(/^(created|exited)$/);
  expect(await present().call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
  const disk = present().host.launches.at(-1)?.disks.at(-1);
  const files = disk === undefined ? [] : [disk.path, ...(disk.backing ?? [])];
  for (const file of files) expect(existsSync(file), file).toBe(true);
  await present().call('POST', `/containers/${id}/kill`);
  await expect.poll(() => present().runtime.store.expect(id).state.status, DEADLINE).toBe('exited');
  // What was half-way is gone with the start.
  expect(readdirSync(boxPath(id)).filter((each) => each.startsWith('restored'))).toEqual([]);
  return files;
}

/** No snapshot, or one that a box can be made of. */
async function wholeSnapshots(expected: number | undefined): Promise<void> {
  const found = snapshots();
  if (expected !== undefined) expect(found).toHaveLength(expected);
  for (const { name } of found) {
    const made = await present().call('POST', `/a3s/v1/snapshots/${name}/boxes`, { name: 'of-it' });
    expect(made.status).toBe(201);
    expect(await startedDisk('of-it')).toHaveLength(2);
    await present().call('DELETE', '/containers/of-it');
    expect((await present().call('DELETE', `/a3s/v1/snapshots/${name}`)).status).toBe(204);
  }
}

it.each(['snapshot of a running box', 'snapshot of a box that does not run'])(
  'leaves a whole %s or none where the server is killed at any moment',
  LONG,
  async (what) => {
    await atEveryMoment(what, async (finished) => {
      await startedDisk(KILLED_BOX);
      await wholeSnapshots(finished ? 1 : undefined);
      const again = { box: KILLED_BOX, memory: false, name: 'kept' };
      expect((await present().call('POST', '/a3s/v1/snapshots', again)).status).toBe(201);
    });
  },
);

it(
  'leaves a box the disk that it had or a whole restored disk where the server is killed at any moment',
  LONG,
  async () => {
    await atEveryMoment('restored disk', async (finished) => {
      const [top = ''] = await startedDisk(KILLED_BOX);
      const isOld = readFileSync(top, 'utf8') === LATER;
      if (finished) expect(isOld).toBe(false);
      if (!isOld) expect(readFileSync(top).subarray(0, 3).toString()).toBe('QFI');
      await wholeSnapshots(1);
    });
  },
);

it(
  'leaves a whole box from a snapshot or none where the server is killed at any moment',
  LONG,
  async () => {
    await atEveryMoment('box from a snapshot', async (finished) => {
      if (finished) expect(idOf('made')).toBeDefined();
      if (idOf('made') !== undefined) expect(await startedDisk('made')).toHaveLength(2);
      await wholeSnapshots(1);
    });
  },
);

it(
  'leaves an empty volume or a filled one where the server is killed at any moment',
  LONG,
  async () => {
    await atEveryMoment('filled volume', async (finished) => {
      const files = () => readdirSync(present().runtime.volumes.mountpoint('data')).sort();
      const before = files();
      if (finished) expect(before).toEqual(FILLED);
      expect([[], FILLED]).toContainEqual(before);
      await startedDisk(KILLED_BOX);
      const fills = present().agents.get(idOf(KILLED_BOX) ?? '')?.spec?.mounts[0];
      expect(fills && 'fill' in fills).toBe(before.length === 0);
      expect(list('volumes/data')).toEqual(['_data']);
    });
  },
);
