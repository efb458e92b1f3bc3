/**
 * A running microVM of libkrun: the processes of its shim, and the files of its run.
 *
 * libkrun has no monitor. What the guest is asked goes through its agent, and the end of the VM is
 * the end of its processes.
 *
 * @module
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunRecord } from '@a3s-box/krun/shim';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';
import { isRunning, killProcess, type ProcessFence } from '../../processes/fence.ts';
import { engineUnsupported } from '../engine-name.ts';
import { type Helper, printable } from '../helpers/helper.ts';
import { agentFailure, panicReason } from '../panic-reason.ts';
import { limitProcesses } from '../processes/process-limits.ts';
import { endProcesses } from '../processes/sweep.ts';
import { openSocket } from '../socket.ts';
import type { HostLimits } from '../vm/host-limits.ts';
import type { SavedVm } from '../vm/saved-vm.ts';
import type { ControlStream, Vm, VmExit, VmSize } from '../vm/vm.ts';
import { controlSocket } from './describe-vm.ts';
import type { RunDirectory } from './run-directory.ts';

/** How often the processes of an adopted VM are looked at: they are no children of this server. */
const LOOK_MS = 200;
/** The shell's exit status for a program that a signal ended is this and the signal's number. */
const SIGNALLED = 128;

/** How a VM is taken over: at launch, or by adoption. */
export interface KrunVmParts {
  readonly id: string;
  readonly runtimeDir: string;
  readonly size: VmSize;
  readonly run: RunDirectory;
  /** The shim; undefined where it has ended. */
  readonly shim: ProcessFence | undefined;
  /** The monitor of the shim and the keeper of its jail; none where they have ended. */
  readonly monitor: readonly ProcessFence[];
  /** Helpers that this process started, the monitor first; none when adopted. */
  readonly helpers: readonly Helper[];
}

export class KrunVm implements Vm {
  readonly id: string;
  readonly pid: number;
  readonly exited: Promise<VmExit>;
  readonly #parts: KrunVmParts;
  readonly #gone = new AbortController();
  readonly #released = new AbortController();
  #resolveExit: (exit: VmExit) => void = () => undefined;
  #stream: Socket | undefined;
  #ending: Promise<void> | undefined;
  #console: Buffer | undefined;

  constructor(parts: KrunVmParts) {
    this.id = parts.id;
    this.pid = parts.shim?.pid ?? 0;
    this.#parts = parts;
    this.exited = new Promise((resolve) => {
      this.#resolveExit = resolve;
    });
    // What failed is not lost: `exited` says how the VM ended, and its sweep does the rest again.
    this.#watch().catch(() => undefined);
  }

  /** libkrun makes the socket some time after its start. */
  async connect(signal: AbortSignal): Promise<ControlStream> {
    await this.#closeStream();
    const path = controlSocket(this.#parts.runtimeDir);
    const waiting = AbortSignal.any([signal, this.#gone.signal]);
    const stream = await retry(() => openSocket(path), waiting);
    this.#stream = stream;
    return stream;
  }

  async applyLimits(limits: HostLimits): Promise<void> {
    if (Object.values(limits.disk).some((rate) => rate > 0)) {
      throw engineUnsupported('krun', 'limit the disk of the microVM', 'limits no rates of disks');
    }
    await limitProcesses(this.#parts.runtimeDir, limits);
  }

  async size(): Promise<VmSize> {
    return this.#parts.size;
  }

  async growMemory(): Promise<void> {
    throw engineUnsupported('krun', 'give the microVM more memory', 'adds none while it runs');
  }

  async console(): Promise<Buffer> {
    return this.#console ?? (await this.#parts.run.console());
  }

  async kill(): Promise<void> {
    await this.#end({ reason: 'killed', detail: '' });
  }

  async release(): Promise<void> {
    this.#released.abort();
    await this.#closeStream();
    for (const helper of this.#parts.helpers) helper.release();
  }

  pause(): Promise<never> {
    return refused('pause the microVM', 'pauses none');
  }

  resume(): Promise<never> {
    return refused('resume the microVM', 'pauses none');
  }

  attach(): Promise<never> {
    return refused('attach disks to the running microVM', 'attaches nothing to a running one');
  }

  attachDisks(): Promise<never> {
    return refused('attach disks to the running microVM', 'attaches nothing to a running one');
  }

  attachShares(): Promise<never> {
    return refused('attach shares to the running microVM', 'attaches nothing to a running one');
  }

  detachDisks(): Promise<never> {
    return refused('detach disks of the running microVM', 'detaches nothing of a running one');
  }

  attachNic(): Promise<never> {
    return refused('attach a network card to the microVM', 'attaches nothing to a running one');
  }

  detachNic(): Promise<never> {
    return refused('detach a network card of the microVM', 'detaches nothing of a running one');
  }

  async cards(): Promise<undefined> {
    return undefined;
  }

  save(): Promise<SavedVm> {
    return refused('save the microVM', 'saves no memory');
  }

  coverDisk(): Promise<never> {
    return refused('snapshot the disk of the microVM', 'changes no disk of a running one');
  }

  /** Returns when the VM has ended by itself, or this object is released. */
  async #watch(): Promise<void> {
    const { monitor, helpers } = this.#parts;
    const [shim] = helpers;
    const { signal } = this.#released;
    if (shim !== undefined && !shim.ended.aborted) {
      await Promise.race([once(shim.ended, 'abort'), once(signal, 'abort')]);
    }
    while (!signal.aborted && monitor.some(isRunning)) {
      await delay(LOOK_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
    if (!signal.aborted) await this.#end(undefined);
  }

  /**
   * The first reason counts, and every caller waits for the same end. One that failed is repeated.
   */
  #end(exit: VmExit | undefined): Promise<void> {
    this.#ending ??= this.#finish(exit).catch((error: unknown) => {
      this.#ending = undefined;
      throw error;
    });
    return this.#ending;
  }

  /** @param exit undefined: the run's record says how it ended */
  async #finish(exit: VmExit | undefined): Promise<void> {
    const { runtimeDir, shim, monitor, helpers, run } = this.#parts;
    let how: VmExit = exit ?? { reason: 'crashed', detail: 'its end could not be read' };
    this.#gone.abort(new A3sError('vmm-failed', 'Cannot connect: the microVM is gone'));
    try {
      for (const each of [...(shim === undefined ? [] : [shim]), ...monitor]) killProcess(each);
      await endProcesses(runtimeDir);
      await this.#closeStream();
      this.#console = await run.console();
      how =
        exit ??
        explainEnd(await run.record(), this.#console, lastWords(helpers[0]?.lastLines ?? []));
      await run.remove();
    } finally {
      for (const helper of helpers) helper.release();
      this.#resolveExit(how);
    }
  }

  async #closeStream(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined || stream.closed) return;
    stream.destroy();
    await once(stream, 'close');
  }
}

/**
 * How a VM ended by itself.
 *
 * libkrun ends its process with status 0 when the guest has powered off or reset, also after a
 * panic: the console tells the two apart.
 *
 * @param last what the shim's standard error says of it
 */
export function explainEnd(
  { status, failed }: Pick<RunRecord, 'status' | 'failed'>,
  console: Buffer,
  last: string,
): VmExit {
  const panic = panicReason(console);
  if (status === 0) {
    if (panic !== '') return { reason: 'panic', detail: panic };
    return { reason: 'poweroff', detail: agentFailure(console) };
  }
  const crashed = (detail: string): VmExit => ({ reason: 'crashed', detail });
  if (status === undefined) return crashed('the VMM and its monitor were killed');
  if (failed !== undefined) return crashed(printable(failed.message));
  if (last !== '') return crashed(last);
  return crashed(
    status > SIGNALLED
      ? `libkrun died of signal ${status - SIGNALLED}`
      : `libkrun ended with status ${status}`,
  );
}

/**
 * Why libkrun ended, of the lines of its standard error: a failed assertion of Rust's is the line
 * after the one that says where it is. Others follow, and one of the shell that waits for it.
 */
export function lastWords(lines: readonly string[]): string {
  const at = lines.findLastIndex((line) => / panicked at .+:$/.test(line));
  return (at < 0 ? undefined : lines[at + 1]) ?? lines.at(-1) ?? '';
}

async function refused(what: string, reason: string): Promise<never> {
  throw engineUnsupported('krun', what, reason);
}
