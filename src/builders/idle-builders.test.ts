import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openTrust } from '../server/home/open-trust.ts';
import { TestHome } from '../server/testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../server/testing/images.ts';
import { BoxBuilders } from './box-builders.ts';
import { listen } from './testing/fake-daemon.ts';

const IMAGE = { ...TEST_IMAGE, config: { ...TEST_IMAGE.config, cmd: ['sleep', 'infinity'] } };
/** What is waited for comes by itself, also on a machine that has much else to do. */
const SOON = { timeout: 30_000 };
/** A time that no other timer has. */
const IDLE_MS = 123_457;

/** Stands in for the timers of builders that nobody uses. Returns what has them expire. */
function idleTimers(): () => void {
  const armed = new Map<NodeJS.Timeout, () => void>();
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  vi.stubGlobal('setTimeout', (expire: () => void, ms: number, ...rest: []) => {
    const timer = set(expire, ms, ...rest);
    if (ms === IDLE_MS) armed.set(timer, expire);
    return timer;
  });
  vi.stubGlobal('clearTimeout', (timer: NodeJS.Timeout) => {
    armed.delete(timer);
    clear(timer);
  });
  return () => {
    for (const [timer, expire] of [...armed]) {
      clearTimeout(timer);
      expire();
    }
  };
}

let home: TestHome;
let directory: string;
let builders: BoxBuilders;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'builders-'));
  const document = { name: 'x', manifestDigest: IMAGE.manifestDigest, layerBytes: 1, packages: [] };
  writeFileSync(join(directory, 'builder.json'), JSON.stringify(document));
  home = new TestHome(new FakeImages(IMAGE));
});

afterEach(async () => {
  vi.unstubAllGlobals();
  await builders.close();
  await home.remove();
  rmSync(directory, { recursive: true });
});

/** @returns what has the timers of builders expire */
async function open(): Promise<() => void> {
  const expire = idleTimers();
  const rt = await home.start();
  const trust = openTrust(rt.home);
  builders = new BoxBuilders({ ...rt, trust }, { directory, idleMs: IDLE_MS, snapshots: true });
  await builders.open();
  return expire;
}

/** The daemon of the n-th microVM that is started, from 0, answers from now on. */
async function answerFrom(index: number): Promise<void> {
  await expect.poll(() => home.agents.size, SOON).toBeGreaterThan(index);
  for (const agent of [...home.agents.values()].slice(index)) listen(agent);
}

/** A builder was used, and is not any more. */
async function useOnce(): Promise<void> {
  const [{ release }] = await Promise.all([builders.use('default'), answerFrom(0)]);
  release();
}

const boxes = () => home.runtime.store.list();

it('does not boot a builder to save it that was removed', async () => {
  const expire = await open();
  await useOnce();
  await builders.remove('default', { force: false });
  expire();
  await builders.close();
  expect([home.agents.size, home.runtime.volumes.list()]).toEqual([1, []]);
});

it('keeps a builder that is used when the time of an earlier use is over', async () => {
  const expire = await open();
  await useOnce();
  expire();
  await expect.poll(() => home.agents.size, SOON).toBe(2);
  const abort = new AbortController();
  const using = builders.use('default', abort.signal);
  abort.abort(new Error('no more'));
  await expect(using).rejects.toThrow('no more');
  await answerFrom(1);
  // The start that nobody waits for, from what was saved.
  await answerFrom(2);
  const again = await builders.use('default');
  expire();
  await builders.close();
  expect(boxes()).toMatchObject([{ state: { status: 'running' } }]);
  expect(home.agents.size).toBe(3);
  again.release();
});
