import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BoxEvent } from '../../boxes/record/states.ts';
import { BoxStore } from '../../boxes/record/store.ts';
import { TestHome } from '../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await home.remove();
});

/**
 * The disk has no room for records of these events, until `free` is called.
 *
 * @returns how often such a record was refused
 */
function fillDisk(...events: readonly BoxEvent[]): { refused: number; free: () => void } {
  const { advance } = BoxStore.prototype;
  const disk = { refused: 0, free: () => spy.mockRestore() };
  const spy = vi.spyOn(BoxStore.prototype, 'advance').mockImplementation(function (
    this: BoxStore,
    id,
    event,
    change,
  ) {
    if (!events.includes(event)) return advance.call(this, id, event, change);
    disk.refused += 1;
    throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
  });
  return disk;
}

async function runBox(more: Record<string, unknown> = {}): Promise<string> {
  const id = await home.create(['sleep', 'infinity'], more);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const stateOf = (id: string) => home.runtime.store.get(id)?.state;
const kill = (id: string) => home.host.running.find((vm) => vm.spec.id === id)?.killed();
const refusals = (disk: { refused: number }, count: number) =>
  expect.poll(() => disk.refused, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);

it('records the end of a box once the disk has room for it', async () => {
  const id = await runBox();
  const disk = fillDisk('gone');
  kill(id);
  await refusals(disk, 2);
  expect(stateOf(id)?.status).toBe('running');
  disk.free();
  await expect.poll(() => stateOf(id)?.status, { timeout: 10_000 }).toBe('exited');
  expect(stateOf(id)?.exitCode).toBe(137);
});

it('removes a box with --rm once the disk has room for that record', async () => {
  const id = await runBox({ HostConfig: { AutoRemove: true } });
  const disk = fillDisk('remove');
  kill(id);
  await refusals(disk, 2);
  disk.free();
  await expect.poll(() => stateOf(id), { timeout: 10_000 }).toBeUndefined();
});

it('records the end of a box that the last server could not record, as soon as there is room', async () => {
  const id = await runBox();
  await home.crash();
  kill(id);
  const disk = fillDisk('gone');
  await home.start();
  await refusals(disk, 2);
  disk.free();
  await expect.poll(() => stateOf(id)?.status, { timeout: 10_000 }).toBe('exited');
});

it('removes by force a box whose end the last server could not record, as soon as there is room', async () => {
  const id = await runBox();
  await home.crash();
  kill(id);
  const disk = fillDisk('gone');
  await home.start();
  await refusals(disk, 1);
  const remove = (query = '') => home.call('DELETE', `/containers/${id}${query}`);
  expect(await remove()).toMatchObject({ status: 409, body: { code: 'box-running' } });
  expect(await remove('?force=1')).toMatchObject({ status: 500, body: { code: 'disk-full' } });
  expect(stateOf(id)?.status).toBe('running');
  disk.free();
  expect((await remove('?force=1')).status).toBe(204);
  expect(stateOf(id)).toBeUndefined();
});

it('goes on with a start that the last server had come to, once its record can be written', async () => {
  const id = await home.create(['sleep', 'infinity']);
  const { advance } = BoxStore.prototype;
  let crashed: Promise<void> | undefined;
  const spy = vi.spyOn(BoxStore.prototype, 'advance').mockImplementation(function (
    this: BoxStore,
    ...given
  ) {
    if (given[1] === 'started') crashed ??= home.crash();
    return advance.apply(this, given);
  });
  const cut = home.call('POST', `/containers/${id}/start`).catch(() => 'cut');
  await expect.poll(() => crashed !== undefined, { timeout: 10_000 }).toBe(true);
  await crashed;
  await cut;
  spy.mockRestore();
  const disk = fillDisk('started');
  await home.start();
  expect(stateOf(id)?.status).toBe('starting');
  await refusals(disk, 2);
  disk.free();
  await expect.poll(() => stateOf(id)?.status, { timeout: 10_000 }).toBe('running');
});
