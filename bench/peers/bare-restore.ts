/**
 * The lower bound for a start from a template: QEMU alone maps the memory of a VM whose agent
 * serves, loads the state of its devices, resumes, and the agent answers one request. No jail, no
 * disks, no network, no box.
 *
 * QEMU makes the template from the same boot set, with the arguments that the product uses.
 *
 * @module
 */
import { EventEmitter, on, once } from 'node:events';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { retry } from '../../src/async/retry.ts';
import { memoryFile } from '../../src/engine/memory-file.ts';
import {
  CONTROL_PORT_ID,
  type StartKind,
  vmmSockets,
} from '../../src/engine/qemu/command-line/arguments.ts';
import { STATE_URI } from '../../src/engine/qemu/command-line/descriptor-sets.ts';
import type { Command } from '../../src/engine/qemu/command-line/devices.ts';
import { stubKernel } from '../../src/engine/qemu/command-line/stub-kernel.ts';
import { executeAll } from '../../src/engine/qemu/monitor/execute-all.ts';
import { QmpClient, type QmpEvent } from '../../src/engine/qemu/monitor/qmp.ts';
import { growthLimit } from '../../src/engine/qemu/template/memory-growth.ts';
import { openSocket } from '../../src/engine/socket.ts';
import type { Accelerator, VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { connectGuest } from '../../src/guest/connection.ts';
import { timed } from '../statistics.ts';
import {
  chosenAccelerator,
  type GivenFiles,
  plainVm,
  type StartedQemu,
  startQemu,
} from './plain-qemu.ts';

const BOOT_MS = 120_000;
const START_MS = 30_000;

/** The memory is a file already and not part of the state, and events report the progress. */
const UNSHARED: Command = [
  'migrate-set-capabilities',
  {
    capabilities: ['x-ignore-shared', 'events'].map((capability) => ({ capability, state: true })),
  },
];

/** A VM of the product's default shape, saved by QEMU alone. */
export class BareTemplate {
  readonly #directory: string;
  readonly #spec: VmSpec;
  readonly #accelerator: Accelerator;
  readonly #ram: number;

  private constructor(
    directory: string,
    { spec, accelerator, ram }: { spec: VmSpec; accelerator: Accelerator; ram: number },
  ) {
    this.#directory = directory;
    this.#spec = spec;
    this.#accelerator = accelerator;
    this.#ram = ram;
  }

  /** Boots one and saves it; `use` may start copies of it as often as it likes. */
  static async with<T>(
    { installation, home }: { readonly installation: string; readonly home: string },
    use: (template: BareTemplate) => Promise<T>,
  ): Promise<T> {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-bare-'));
    const ram = await memoryFile('bare-template');
    try {
      const spec = await plainVm(installation, directory);
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
  async startFromTemplate(): Promise<number> {
    const signal = AbortSignal.timeout(START_MS);
    const kernel = openSync(this.#kernel, 'r');
    const state = openSync(this.#state, 'r');
    let qemu: StartedQemu | undefined;
    try {
      return await timed(async () => {
        qemu = await this.#start('template', { kernel, state });
        const monitor = await this.#monitor(signal);
        // All at once: `cont` is taken while the state is loaded, and done after.
        await executeAll(monitor, [
          UNSHARED,
          ['migrate-incoming', { uri: STATE_URI }],
          ['cont', {}],
        ]);
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

  #start(start: StartKind, files: GivenFiles): Promise<StartedQemu> {
    const growthBytes = growthLimit(this.#spec.memoryBytes);
    const plan = { spec: this.#spec, accelerator: this.#accelerator, start, growthBytes };
    return startQemu(plan, { ...files, ram: this.#ram });
  }

  async #make(): Promise<void> {
    const signal = AbortSignal.timeout(BOOT_MS);
    writeFileSync(this.#kernel, stubKernel());
    ftruncateSync(this.#ram, this.#spec.memoryBytes);
    const state = openSync(this.#state, 'wx');
    const qemu = await this.#start('save', { state });
    try {
      const events = new Events(signal);
      const monitor = await this.#monitor(signal, events);
      await Promise.all([
        events.one('VSERPORT_CHANGE', { id: CONTROL_PORT_ID, open: true }),
        executeAll(monitor, [['cont', {}]]),
      ]);
      await Promise.all([
        events.one('MIGRATION', { status: 'completed' }),
        executeAll(monitor, [['stop', {}], UNSHARED, ['migrate', { uri: STATE_URI }]]),
      ]);
    } catch (error) {
      throw failed('saved', error, qemu);
    } finally {
      closeSync(state);
      await end(qemu);
    }
  }

  #monitor(signal: AbortSignal, events?: Events): Promise<QmpClient> {
    const { monitor } = vmmSockets(this.#spec.runtimeDir);
    return QmpClient.connect(monitor, (event) => events?.emit(event), signal);
  }

  async #greet(signal: AbortSignal): Promise<void> {
    const { control } = vmmSockets(this.#spec.runtimeDir);
    const guest = await connectGuest(
      {
        connect: (stop) => retry(() => openSocket(control), stop),
        console: async () => Buffer.alloc(0),
        exited: new Promise(() => {}),
      },
      { signal, deadlineMs: START_MS },
    );
    guest.close();
  }
}

/** Of one VM, until the signal's end. */
class Events {
  readonly #seen = new EventEmitter();
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  emit({ name, data }: QmpEvent): void {
    this.#seen.emit(name, data);
  }

  /** The next one of that name whose data has these fields. */
  async one(name: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    for await (const [data] of on(this.#seen, name, { signal: this.#signal })) {
      const found = data as Readonly<Record<string, unknown>>;
      if (Object.entries(fields).every(([key, value]) => found[key] === value)) return;
    }
  }
}

function failed(what: string, cause: unknown, qemu: StartedQemu | undefined): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`a bare VM was not ${what}: ${why}; QEMU said: ${qemu?.words()}`, {
    cause,
  });
}

async function end(qemu: StartedQemu | undefined): Promise<void> {
  if (qemu === undefined || qemu.child.exitCode !== null || qemu.child.signalCode !== null) return;
  const closed = once(qemu.child, 'close');
  qemu.child.kill('SIGKILL');
  await closed;
}
