/**
 * What no start from a template can be faster than: QEMU alone maps the memory of a machine whose agent serves, loads the
 * state of its devices, goes on, and the agent answers one request. No walls, no disks, no network, no box.
 *
 * The template is made of the same boot set by QEMU with the same arguments as the product's own.
 *
 * @module
 */
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import type { MachineSpec } from '../src/engine/engine.ts';
import {
  type Accelerator,
  type Beginning,
  CONTROL,
  vmmSockets,
} from '../src/engine/qemu/arguments.ts';
import { STATE_URI } from '../src/engine/qemu/descriptor-sets.ts';
import { growthLimit } from '../src/engine/qemu/memory-growth.ts';
import { QmpClient } from '../src/engine/qemu/qmp.ts';
import { stubKernel } from '../src/engine/qemu/stub-kernel.ts';
import { retry } from '../src/engine/retry.ts';
import { openSocket } from '../src/engine/socket.ts';
import { connectGuest } from '../src/guest/connection.ts';
import { memoryFile } from '../src/templates/memory-file.ts';
import {
  chosenAccelerator,
  type GivenFiles,
  plainMachine,
  type StartedQemu,
  startQemu,
} from './plain-qemu.ts';
import { timed } from './statistics.ts';

const BOOT_MS = 120_000;
const RESTORE_MS = 30_000;

const Nothing = z.unknown();
const Chardevs = z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() }));
const Migration = z.object({ status: z.string().optional() });

/** A machine of the product's default shape, saved by QEMU alone. */
export class BareTemplate {
  readonly #directory: string;
  readonly #spec: MachineSpec;
  readonly #accelerator: Accelerator;
  readonly #ram: number;

  private constructor(
    directory: string,
    { spec, accelerator, ram }: { spec: MachineSpec; accelerator: Accelerator; ram: number },
  ) {
    this.#directory = directory;
    this.#spec = spec;
    this.#accelerator = accelerator;
    this.#ram = ram;
  }

  /** Boots one and saves it; `use` may restore it as often as it likes. */
  static async with<T>(
    { installation, home }: { readonly installation: string; readonly home: string },
    use: (template: BareTemplate) => Promise<T>,
  ): Promise<T> {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-bare-'));
    const ram = await memoryFile('bare-template');
    try {
      const spec = await plainMachine(installation, directory);
      const accelerator = chosenAccelerator(home);
      const template = new BareTemplate(directory, { spec, accelerator, ram });
      await template.#make();
      return await use(template);
    } finally {
      closeSync(ram);
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** Milliseconds from the start of the process to the agent's first answer. */
  async restore(): Promise<number> {
    const signal = AbortSignal.timeout(RESTORE_MS);
    const kernel = openSync(this.#kernel, 'r');
    const state = openSync(this.#state, 'r');
    let qemu: StartedQemu | undefined;
    try {
      return await timed(async () => {
        qemu = this.#start('restore', { kernel, state });
        const monitor = await this.#monitor(signal);
        await monitor.execute('migrate-incoming', { uri: STATE_URI }, Nothing);
        // Taken while the state is loaded, and done after.
        await monitor.execute('cont', {}, Nothing);
        await this.#greet(signal);
      });
    } catch (error) {
      throw failed('restored', error, qemu);
    } finally {
      closeSync(kernel);
      closeSync(state);
      await end(qemu);
    }
  }

  get #state(): string {
    return join(this.#directory, 'devices');
  }

  get #kernel(): string {
    return join(this.#directory, 'kernel');
  }

  #start(beginning: Beginning, files: GivenFiles): StartedQemu {
    const growthBytes = growthLimit(this.#spec.memoryBytes);
    const plan = { spec: this.#spec, accelerator: this.#accelerator, beginning, growthBytes };
    return startQemu(plan, { ...files, ram: this.#ram });
  }

  async #make(): Promise<void> {
    const signal = AbortSignal.timeout(BOOT_MS);
    writeFileSync(this.#kernel, stubKernel());
    ftruncateSync(this.#ram, this.#spec.memoryBytes);
    const state = openSync(this.#state, 'wx');
    const qemu = this.#start('save', { state });
    try {
      const monitor = await this.#monitor(signal);
      await monitor.execute('cont', {}, Nothing);
      await retry(async () => (await agentServes(monitor)) || undefined, signal);
      await monitor.execute('stop', {}, Nothing);
      await monitor.execute('migrate', { uri: STATE_URI }, Nothing);
      await retry(async () => (await saved(monitor)) || undefined, signal);
    } catch (error) {
      throw failed('saved', error, qemu);
    } finally {
      closeSync(state);
      await end(qemu);
    }
  }

  /** Memory is a file already, and no part of the state. */
  async #monitor(signal: AbortSignal): Promise<QmpClient> {
    const { monitor: path } = vmmSockets(this.#spec.runtimeDir);
    const monitor = await QmpClient.connect(path, () => {}, signal);
    const capabilities = [{ capability: 'x-ignore-shared', state: true }];
    await monitor.execute('migrate-set-capabilities', { capabilities }, Nothing);
    return monitor;
  }

  async #greet(signal: AbortSignal): Promise<void> {
    const { control } = vmmSockets(this.#spec.runtimeDir);
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
}

/** It has opened its port. */
async function agentServes(monitor: QmpClient): Promise<boolean> {
  const chardevs = await monitor.execute('query-chardev', {}, Chardevs);
  return chardevs.find(({ label }) => label === CONTROL)?.['frontend-open'] === true;
}

async function saved(monitor: QmpClient): Promise<boolean> {
  const { status } = await monitor.execute('query-migrate', {}, Migration);
  if (status === 'failed') throw new Error('QEMU could not save the machine');
  return status === 'completed';
}

function failed(what: string, cause: unknown, qemu: StartedQemu | undefined): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`a bare machine was not ${what}: ${why}; QEMU said: ${qemu?.words()}`, {
    cause,
  });
}

async function end(qemu: StartedQemu | undefined): Promise<void> {
  if (qemu === undefined || qemu.child.exitCode !== null || qemu.child.signalCode !== null) return;
  const closed = once(qemu.child, 'close');
  qemu.child.kill('SIGKILL');
  await closed;
}
