/**
 * What no start from a template can be faster than: QEMU alone maps the memory of a machine whose agent serves, loads the
 * state of its devices, goes on, and the agent answers one request. No walls, no disks, no network, no box.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import type { MachineSpec } from '../src/engine/engine.ts';
import { type Accelerator, CONTROL, vmmSockets } from '../src/engine/qemu/arguments.ts';
import { QmpClient } from '../src/engine/qemu/qmp.ts';
import { retry } from '../src/engine/retry.ts';
import { openSocket } from '../src/engine/socket.ts';
import { connectGuest } from '../src/guest/connection.ts';
import { chosenAccelerator, plainMachine, startQemu } from './plain-qemu.ts';
import { timed } from './statistics.ts';

const BOOT_MS = 120_000;
const RESTORE_MS = 30_000;

const Nothing = z.unknown();
const Chardevs = z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() }));
const Migration = z.object({ status: z.string().optional() });
const Status = z.object({ status: z.string() });

/** A machine of the product's default shape, saved by QEMU alone. */
export class BareTemplate {
  readonly #directory = mkdtempSync(join(tmpdir(), 'a3s-bare-'));
  readonly #accelerator: Accelerator;
  readonly #installation: string;

  private constructor(installation: string, accelerator: Accelerator) {
    this.#installation = installation;
    this.#accelerator = accelerator;
  }

  /** Boots one and saves it; `use` may restore it as often as it likes. */
  static async with<T>(
    { installation, home }: { readonly installation: string; readonly home: string },
    use: (template: BareTemplate) => Promise<T>,
  ): Promise<T> {
    const template = new BareTemplate(installation, chosenAccelerator(home));
    try {
      await template.#make();
      return await use(template);
    } finally {
      rmSync(template.#directory, { recursive: true, force: true });
    }
  }

  /** Milliseconds from the start of the process to the agent's first answer. */
  async restore(): Promise<number> {
    const spec = await this.#machine();
    const signal = AbortSignal.timeout(RESTORE_MS);
    const memory = `${this.#memory(spec)},share=off,readonly=on,rom=off`;
    let child: ChildProcess | undefined;
    try {
      return await timed(async () => {
        child = startQemu(spec, this.#accelerator, (args) => [
          ...withMemory(args, memory),
          ...['-incoming', 'defer'],
        ]);
        const monitor = await this.#monitor(spec, signal);
        await monitor.execute('migrate-incoming', { uri: `file:${this.#state}` }, Nothing);
        await retry(async () => {
          const { status } = await monitor.execute('query-status', {}, Status);
          return status === 'paused' ? status : undefined;
        }, signal);
        await monitor.execute('cont', {}, Nothing);
        await greet(spec, signal);
      });
    } finally {
      await end(child);
    }
  }

  get #state(): string {
    return join(this.#directory, 'devices');
  }

  #memory({ memoryBytes }: MachineSpec): string {
    const path = join(this.#directory, 'memory');
    return `memory-backend-file,id=memory,size=${memoryBytes}B,mem-path=${path},dump=off,merge=off`;
  }

  #machine(): Promise<MachineSpec> {
    return plainMachine(this.#installation, this.#directory);
  }

  async #make(): Promise<void> {
    const spec = await this.#machine();
    const signal = AbortSignal.timeout(BOOT_MS);
    const child = startQemu(spec, this.#accelerator, (args) =>
      withMemory(args, `${this.#memory(spec)},share=on`),
    );
    try {
      const monitor = await this.#monitor(spec, signal);
      await monitor.execute('cont', {}, Nothing);
      await retry(async () => (await agentServes(monitor)) || undefined, signal);
      await monitor.execute('stop', {}, Nothing);
      await monitor.execute('migrate', { uri: `file:${this.#state}` }, Nothing);
      await retry(async () => (await saved(monitor)) || undefined, signal);
    } finally {
      await end(child);
    }
  }

  /** Memory is a file already, and no part of the state. */
  async #monitor(spec: MachineSpec, signal: AbortSignal): Promise<QmpClient> {
    const monitor = await QmpClient.connect(vmmSockets(spec.runtimeDir).monitor, () => {}, signal);
    const capabilities = [{ capability: 'x-ignore-shared', state: true }];
    await monitor.execute('migrate-set-capabilities', { capabilities }, Nothing);
    return monitor;
  }
}

function withMemory(args: readonly string[], memory: string): readonly string[] {
  const changed = args.map((argument) => (/^memory-backend-/.test(argument) ? memory : argument));
  if (!changed.includes(memory)) throw new Error('the machine has no memory of its own');
  return changed;
}

async function agentServes(monitor: QmpClient): Promise<boolean> {
  const chardevs = await monitor.execute('query-chardev', {}, Chardevs);
  return chardevs.find(({ label }) => label === CONTROL)?.['frontend-open'] === true;
}

async function saved(monitor: QmpClient): Promise<boolean> {
  const { status } = await monitor.execute('query-migrate', {}, Migration);
  if (status === 'failed') throw new Error('QEMU could not save the machine');
  return status === 'completed';
}

async function greet(spec: MachineSpec, signal: AbortSignal): Promise<void> {
  const { control } = vmmSockets(spec.runtimeDir);
  const guest = await connectGuest(
    {
      connect: (stop) => retry(() => openSocket(control), stop),
      console: async () => Buffer.alloc(0),
      exited: new Promise(() => {}),
    },
    { signal, deadlineMs: RESTORE_MS },
  );
  guest.close();
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}
