/**
 * A running QEMU, held by its monitor.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LaunchRecord } from '@a3s-box/attestation/measure';
import * as z from 'zod';
import { settleOrAbort } from '../../async/settle-all.ts';
import { A3sError } from '../../errors.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { killProcess, type ProcessFence, untilGone } from '../../processes/fence.ts';
import { type Helper, printable } from '../helpers/helper.ts';
import { checkPort, passtSocket, startPasst } from '../helpers/passt.ts';
import { startVirtiofsd } from '../helpers/virtiofsd.ts';
import { panicReason } from '../panic-reason.ts';
import { allowDisks } from '../processes/file-length.ts';
import { limitProcesses } from '../processes/process-limits.ts';
import { endProcesses, removeSockets } from '../processes/sweep.ts';
import type { ProcessorPort } from '../secure-processor/port.ts';
import type { Disk, FixedCard, LaterNic, PortForward, Share, ShareServers } from '../vm/devices.ts';
import type { HostLimits } from '../vm/host-limits.ts';
import type { SavedVm, SaveRequest } from '../vm/saved-vm.ts';
import type { ControlStream, Vm, VmExit, VmSize } from '../vm/vm.ts';
import { ControlPort } from './boot/control-port.ts';
import { vmmSockets } from './command-line/arguments.ts';
import { attachDiskSet, detachDiskSet } from './monitor/attach-disk-set.ts';
import { attachDisks } from './monitor/attach-disks.ts';
import { attachNic, detachNic } from './monitor/attach-nic.ts';
import { attachShares } from './monitor/attach-shares.ts';
import { throttleDisk } from './monitor/block-throttle.ts';
import { readConsole } from './monitor/console.ts';
import { growMemory } from './monitor/grow-memory.ts';
import { fixedCards, leadCard, leadNowhere } from './monitor/lead-card.ts';
import type { QmpClient } from './monitor/qmp.ts';
import { vmSize } from './monitor/size.ts';
import { coverDisk } from './snapshot/cover-disk.ts';
import { saveRunning } from './snapshot/save-running.ts';

/** The helper name of the VMM itself. */
export const VMM = 'qemu';

/** How a VM is taken over: at launch, or by adoption. */
export interface VmParts {
  readonly id: string;
  readonly runtimeDir: string;
  readonly vmm: ProcessFence;
  readonly monitor: QmpClient;
  /** Helpers that this process started; none when adopted. */
  readonly helpers: readonly Helper[];
  /** Set for a confidential VM. */
  readonly confidential?: ConfidentialParts | undefined;
}

export interface ConfidentialParts {
  /** The port at which its simulated secure processor answers it. */
  readonly port: Pick<ProcessorPort, 'close'> | undefined;
  /** Undefined when adopted. */
  readonly launched: LaunchRecord | undefined;
}

export class QemuVm implements Vm {
  readonly id: string;
  readonly pid: number;
  readonly exited: Promise<VmExit>;
  readonly #parts: VmParts;
  /** Those of the parts, and those that were started later. */
  readonly #helpers: Helper[];
  /** Helpers were started, or are being started, after the launch. */
  #hasLater = false;
  readonly #control: ControlPort;
  readonly #gone = new AbortController();
  #resolveExit: (exit: VmExit) => void = () => undefined;
  #console: Buffer = Buffer.alloc(0);
  #ending: Promise<void> | undefined;
  #released = false;

  constructor(parts: VmParts) {
    this.id = parts.id;
    this.pid = parts.vmm.pid;
    this.#parts = parts;
    this.#helpers = [...parts.helpers];
    this.#control = new ControlPort(vmmSockets(parts.runtimeDir).control, parts.monitor);
    this.exited = new Promise((resolve) => {
      this.#resolveExit = resolve;
    });
    void parts.monitor.closed.then(() => {
      if (!this.#released) void this.#end(CRASHED);
    });
  }

  async connect(signal: AbortSignal): Promise<ControlStream> {
    return this.#control.connect(AbortSignal.any([signal, this.#gone.signal]));
  }

  async pause(): Promise<void> {
    await this.#parts.monitor.execute('stop', {}, z.unknown());
  }

  async resume(): Promise<void> {
    await this.#parts.monitor.execute('cont', {}, z.unknown());
  }

  get launched(): LaunchRecord | undefined {
    return this.#parts.confidential?.launched;
  }

  async attach(disks: readonly Disk[]): Promise<void> {
    this.#requirePlain('get disks while it runs');
    await attachDisks(this.#parts.monitor, disks);
  }

  async attachDisks(name: string, disks: readonly Disk[]): Promise<void> {
    const { monitor, confidential, vmm } = this.#parts;
    await allowDisks(vmm, disks);
    // One that has no root ports has no place for them.
    await attachDiskSet(monitor, name, disks, confidential !== undefined);
  }

  async attachShares(
    shares: readonly Share[],
    { identity, processors }: ShareServers,
  ): Promise<void> {
    this.#requirePlain('get shares while it runs');
    const { runtimeDir, monitor } = this.#parts;
    const servers = { runtimeDir, identity, count: shares.length, processors };
    await this.#startLater((signal) =>
      shares.map((share, index) => startVirtiofsd(share, index, servers, signal)),
    );
    await attachShares(monitor, shares, runtimeDir);
  }

  async detachDisks(name: string): Promise<void> {
    await detachDiskSet(this.#parts.monitor, name);
  }

  async attachNic(index: number, { mac, uplink }: LaterNic): Promise<void> {
    const { monitor, confidential } = this.#parts;
    const tap = uplink !== undefined && 'tap' in uplink ? uplink : undefined;
    if (confidential !== undefined) {
      if (tap === undefined) this.#requirePlain('get a translator while it runs');
      else await leadCard(monitor, index, { mac, ...tap });
      return;
    }
    const to = uplink && ('tap' in uplink ? uplink : await this.#startTranslator(uplink));
    await attachNic(monitor, index, { mac, uplink: to });
  }

  async detachNic(index: number): Promise<void> {
    const detaching = this.#parts.confidential === undefined ? detachNic : leadNowhere;
    await detaching(this.#parts.monitor, index);
  }

  async cards(): Promise<readonly FixedCard[] | undefined> {
    if (this.#parts.confidential === undefined) return undefined;
    return await fixedCards(this.#parts.monitor);
  }

  async applyLimits(limits: HostLimits): Promise<void> {
    await limitProcesses(this.#parts.runtimeDir, limits);
    await throttleDisk(this.#parts.monitor, limits.disk);
  }

  async size(): Promise<VmSize> {
    return await vmSize(this.#parts.monitor);
  }

  async growMemory(memoryBytes: number): Promise<void> {
    this.#requirePlain('get memory while it runs');
    await growMemory(this.#parts.monitor, memoryBytes);
  }

  async save(request: SaveRequest, signal: AbortSignal): Promise<SavedVm> {
    this.#requirePlain('be saved: its memory is its own');
    const gone = AbortSignal.any([signal, this.#gone.signal]);
    return await saveRunning(this.#parts.monitor, request, gone);
  }

  async coverDisk(overlayPath: string, signal: AbortSignal): Promise<void> {
    this.#requirePlain('have its disk copied: it is its own');
    const gone = AbortSignal.any([signal, this.#gone.signal]);
    await coverDisk(this.#parts.monitor, overlayPath, gone);
  }

  /** Ends a control stream that is open, and waits until the guest is ready for the next. */
  async resetControl(signal: AbortSignal): Promise<void> {
    await this.#control.reset(AbortSignal.any([signal, this.#gone.signal]));
  }

  async console(): Promise<Buffer> {
    if (this.#parts.confidential !== undefined) return this.#console;
    if (this.#ending === undefined) this.#console = await readConsole(this.#parts.monitor);
    return this.#console;
  }

  async kill(): Promise<void> {
    await this.#end({ reason: 'killed', detail: '' });
  }

  async release(): Promise<void> {
    this.#released = true;
    await this.#parts.confidential?.port?.close();
    await this.#control.close();
    for (const helper of this.#helpers) helper.release();
    this.#parts.monitor.close();
    await this.#parts.monitor.closed;
  }

  /** The guest has ended and the VMM waits: reads the console's last bytes, then ends the VMM. */
  async stopped(reason: string): Promise<void> {
    if (this.#ending !== undefined) return;
    // When the VMM dies right now, the console is lost, but not the reason.
    this.#console = await this.console().catch(() => this.#console);
    await this.#end(explainShutdown(reason, this.#console));
  }

  /** The VMM stopped the guest. This is a requested stop, unless the VMM's state says otherwise. */
  async halted(): Promise<void> {
    const { monitor } = this.#parts;
    const { status } = await monitor.execute('query-status', {}, z.object({ status: z.string() }));
    if (status === 'internal-error') await this.stopped(status);
  }

  async #startTranslator({
    ports,
    identity,
  }: {
    readonly ports: readonly PortForward[];
    readonly identity: JailIdentity;
  }): Promise<{ readonly socket: string }> {
    const { runtimeDir } = this.#parts;
    for (const port of ports) await checkPort(port);
    await this.#startLater((signal) => [startPasst({ ports }, runtimeDir, identity, signal)]);
    return { socket: passtSocket(runtimeDir) };
  }

  /**
   * Helpers that are started while the VM ends may outlive it: the caller sweeps then. The first
   * failure aborts the others.
   */
  async #startLater(start: (signal: AbortSignal) => Promise<Helper>[]): Promise<void> {
    this.#hasLater = true;
    await settleOrAbort(this.#gone.signal, (waiting) => {
      const started = start(waiting);
      for (const each of started) {
        each.then(
          (helper) => this.#helpers.push(helper),
          () => undefined,
        );
      }
      return [Promise.resolve(), ...started];
    });
  }

  #requirePlain(what: string): void {
    if (this.#parts.confidential === undefined) return;
    throw new A3sError('unsupported-option', `A confidential microVM cannot ${what}`);
  }

  /** The first reason counts, and every caller waits for the same end. */
  #end(exit: VmExit): Promise<void> {
    this.#ending ??= this.#finish(exit);
    return this.#ending;
  }

  async #finish(exit: VmExit): Promise<void> {
    const { runtimeDir, vmm, monitor } = this.#parts;
    this.#gone.abort(new A3sError('vmm-failed', 'Cannot connect: the microVM is gone'));
    killProcess(vmm);
    const alone = !this.#hasLater && (await endedAlone(this.#helpers));
    await untilGone([vmm], new AbortController().signal);
    await (alone ? removeSockets(runtimeDir) : endProcesses(runtimeDir));
    await this.#parts.confidential?.port?.close();
    await this.#control.close();
    const detail = exit === CRASHED ? await lastWords(this.#helpers) : exit.detail;
    for (const helper of this.#helpers) helper.release();
    monitor.close();
    this.#resolveExit({ ...exit, detail });
  }
}

/**
 * How long the keeper of a VMM's jail may take to end after it, before all processes of the host
 * are searched.
 */
const KEEPER_MS = 1000;

/**
 * Whether the VMM was the VM's only process, and has ended as a child of this process: then nothing
 * else can be left. The VMM is the first process of its namespace, and cannot make others. A search
 * for some would cost more than its end did.
 */
async function endedAlone(helpers: readonly Helper[]): Promise<boolean> {
  const [only, another] = helpers;
  if (only === undefined || another !== undefined) return false;
  if (!only.ended.aborted) {
    await delay(KEEPER_MS, undefined, { signal: only.ended }).catch(() => undefined);
  }
  return only.ended.aborted;
}

const CRASHED: VmExit = { reason: 'crashed', detail: '' };

/** The reason of an end that happened while no server held the VM. */
export const UNSEEN = 'unseen';

/** `reason` is QEMU's `ShutdownCause`, `guest-panic` among them, or `UNSEEN`. */
function explainShutdown(reason: string, console: Buffer): VmExit {
  const panic = panicReason(console);
  if (reason === 'guest-shutdown' || (reason === UNSEEN && panic === ''))
    return { reason: 'poweroff', detail: '' };
  // Only the guest's kernel resets the VM, which it does after a panic.
  if (['guest-reset', 'guest-panic', UNSEEN].includes(reason)) {
    return { reason: 'panic', detail: panic };
  }
  return { reason: 'crashed', detail: `the VMM stopped (${printable(reason)})` };
}

/** Only a parent learns why a process died. */
async function lastWords(helpers: readonly Helper[]): Promise<string> {
  const reason = await helpers.find((helper) => helper.name === VMM)?.lastWords();
  return reason?.message ?? 'the VMM ended unexpectedly';
}
