import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { PodStore } from '../../pods/record/store.ts';
import { TestHome } from '../../server/testing/home.ts';
import { allow } from '../../server/testing/signed-images.ts';
import { RuntimeService } from '../grpc/library.ts';
import { CriClient } from '../testing/cri-client.ts';

const { runPodSandbox, createContainer, startContainer, stopContainer } = RuntimeService.method;

let home: TestHome;
let client: CriClient;
let directory: string;
let pod: string;
let container: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  home = new TestHome();
  home.cri = join(directory, 'cri.sock');
  home.trust.rules = [allow('**')];
  await home.start();
  client = new CriClient(home.cri);
  const metadata = { name: 'pod', uid: 'uid', namespace: 'default', attempt: 0 };
  pod = (await client.call(runPodSandbox, { config: { metadata } })).podSandboxId;
  const config = {
    ...{ metadata: { name: 'app' }, image: { image: 'busybox' } },
    command: ['sleep', 'infinity'],
  };
  container = (await client.call(createContainer, { podSandboxId: pod, config })).containerId;
  await client.call(startContainer, { containerId: container });
});
afterEach(async () => {
  vi.restoreAllMocks();
  client?.close();
  await home?.remove();
  rmSync(directory, { recursive: true, force: true });
});

type Advance = (id: string, event: string, change?: object) => unknown;

/** The disk has no room for records of ends, until `free` is called. */
function fillDisk(method: 'advancePod' | 'advanceContainer'): { refused: number; free(): void } {
  const store = PodStore.prototype as unknown as Record<typeof method, Advance>;
  const original = store[method];
  const disk = { refused: 0, free: () => spy.mockRestore() };
  const spy = vi.spyOn(store, method).mockImplementation(function (
    this: unknown,
    id,
    event,
    change,
  ) {
    if (event !== 'ended' && event !== 'stopped') return original.call(this, id, event, change);
    disk.refused += 1;
    throw new Sqlite.SqliteError('database or disk is full', 'SQLITE_FULL');
  });
  return disk;
}

const statusOf = () => home.runtime.pods.container(container)?.state.status;
const podStatus = () => home.runtime.pods.pod(pod)?.state.status;
const refusals = (disk: { refused: number }, count: number) =>
  expect.poll(() => disk.refused, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
const ended = () => expect.poll(statusOf, { timeout: 10_000 }).toBe('exited');

it('records the end of a container once the disk has room for it', async () => {
  const disk = fillDisk('advanceContainer');
  const stopped = client.call(stopContainer, { containerId: container, timeout: 10n });
  await refusals(disk, 2);
  expect(statusOf()).toBe('running');
  disk.free();
  await stopped;
  expect(home.runtime.pods.container(container)?.state).toMatchObject({
    ...{ status: 'exited', exitCode: 143 },
  });
});

it('records the end of a pod once the disk has room for it', async () => {
  const disk = fillDisk('advancePod');
  home.host.running.find((vm) => vm.spec.id === pod)?.killed();
  await refusals(disk, 2);
  expect(podStatus()).toBe('ready');
  disk.free();
  await expect.poll(podStatus, { timeout: 10_000 }).toBe('stopped');
});

it('adopts a pod whose container has ended, once the disk has room for that record', async () => {
  await home.crash();
  // The guest has lost it.
  home.agents.get(pod)?.containers.all.clear();
  const disk = fillDisk('advanceContainer');
  await home.start();
  await refusals(disk, 2);
  expect(home.host.running).toHaveLength(1);
  disk.free();
  await ended();
  expect(home.runtime.pods.container(container)?.state.message).toContain('did not have it');
  expect(podStatus()).toBe('ready');
});

it('leaves an end that it cannot record to the next server', async () => {
  const disk = fillDisk('advanceContainer');
  home.agents.get(pod)?.containers.all.get(container)?.kill();
  await refusals(disk, 1);
  await home.stop();
  disk.free();
  expect(statusOf()).toBe('running');
  await home.start();
  await ended();
});
