/**
 * A directory of templates with a fake engine, and stores on it, one after the other as servers
 * are.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { FakeEngine, FakeHost } from '../../engine/testing/fake.ts';
import { FakeAgent } from '../../guest/testing/fake-agent.ts';
import type { FakeAgentOptions } from '../../guest/testing/fake-agent-options.ts';
import type { TemplateStoreOptions } from '../options.ts';
import { TemplateStore } from '../store.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const MEBIBYTE = 2 ** 20;

interface StoreEvent {
  readonly action: string;
  readonly key: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export class StoreHome {
  readonly root = mkdtempSync(join(tmpdir(), 'a3s-tpl-'));
  readonly host: FakeHost;
  readonly engine: FakeEngine;
  /** Of agents that start from now on. */
  agentOptions: FakeAgentOptions = {};
  /** The present boot set. */
  kernel = 'kernel-1';
  /** Keys of templates that boxes run on. */
  readonly used = new Set<string>();
  /** Boot sets that boxes pin. */
  pinned: string[] = [];
  /** Of all stores. */
  readonly events: StoreEvent[] = [];
  readonly time = { wall: Date.now(), steady: 0 };
  /** Of stores that are opened from now on. */
  limits: TemplateStoreOptions['limits'] = {
    max: 8,
    maxAgeMs: DAY,
    memoryBytes: 1024 * MEBIBYTE,
  };
  readonly #stores: TemplateStore[] = [];

  constructor() {
    mkdirSync(join(this.root, 'templates'), { mode: 0o700 });
    mkdirSync(join(this.root, 'run'), { mode: 0o700 });
    this.host = new FakeHost((vm) => {
      const agent = new FakeAgent(this.agentOptions);
      void agent.poweredOff.then(() => vm.poweroff());
      return (stream) => agent.serve(stream);
    });
    this.engine = new FakeEngine(this.host);
  }

  /** Closes its stores and removes everything. */
  async remove(): Promise<void> {
    for (const store of this.#stores) await store.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  async openStore(more: Partial<TemplateStoreOptions> = {}): Promise<TemplateStore> {
    const store = new TemplateStore({
      directory: join(this.root, 'templates'),
      runtimeDir: join(this.root, 'run'),
      engine: this.engine,
      boot: { current: async () => this.kernel, open: async (id) => boot(id) },
      bootMs: 5000,
      limits: this.limits,
      inUse: () => this.used,
      pinned: () => this.pinned,
      quiet: async () => undefined,
      tell: (action, key, attributes) => this.events.push({ action, key, attributes }),
      log: { info: () => undefined, error: () => undefined },
      clock: { wall: () => this.time.wall, steady: () => this.time.steady },
      ...more,
    });
    this.#stores.push(store);
    await store.open();
    return store;
  }

  shape(cpus = 1, id = this.kernel) {
    return { cpus, boot: boot(id) };
  }

  actions(): string[] {
    return this.events.map(({ action }) => action);
  }

  /** Waits for background work, whose end is reported only by an event. */
  async event(action: string, count = 1): Promise<void> {
    await expect
      .poll(() => this.actions().filter((each) => each === action).length, { timeout: 10_000 })
      .toBe(count);
  }

  /** The files that stores have left. */
  left(): string[] {
    return [...readdirSync(join(this.root, 'templates')), ...readdirSync(join(this.root, 'run'))];
  }
}

function boot(id: string) {
  return { kernelPath: `/boot/${id}`, initrdPath: '/boot/initrd', commandLine: ['quiet'] };
}

/** Makes templates, and returns the steps that the store reported. */
export async function warm(store: TemplateStore, cpus: readonly number[] = [1]): Promise<string[]> {
  const steps: string[] = [];
  const say = ({ cpus, step }: { cpus: number; step: string }): unknown =>
    steps.push(`${cpus} ${step}`);
  await store.warm(cpus, say, new AbortController().signal);
  return steps;
}

export function onlyKey(store: TemplateStore): string {
  const [only, ...more] = store.list();
  expect(more).toEqual([]);
  return only?.key ?? '';
}

/** Waits until no template is being made. */
export async function untilIdle(store: TemplateStore): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await expect.poll(() => store.list().filter(({ state }) => state === 'making')).toEqual([]);
}

export function isOpen(fd: number): boolean {
  return existsSync(`/proc/self/fd/${fd}`);
}
