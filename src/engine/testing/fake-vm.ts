/**
 * A microVM without a process, for the tests of the tiers above the engine.
 *
 * @module
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { LaunchRecord } from '@a3s-box/attestation/measure';
import { A3sError } from '../../errors.ts';
import type { Disk, FixedCard, LaterNic, Share } from '../vm/devices.ts';
import type { HostLimits } from '../vm/host-limits.ts';
import type { SavedVm, SaveRequest } from '../vm/saved-vm.ts';
import { SAVED_FILES } from '../vm/saved-vm.ts';
import { TEMPLATE_SLOTS } from '../vm/slots.ts';
import type { ControlStream, Vm, VmExit } from '../vm/vm.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { duplexPair } from './duplex-pair.ts';

/** What the inside of a fake VM can do to it. */
export interface FakeGuest {
  readonly spec: VmSpec;
  /** It is a copy of a template, which was prepared when it was saved. */
  readonly prepared: boolean;
  /** Ends the VM as the guest's own power-off does. */
  poweroff(): void;
}

/** Made once per VM; called with each control stream that a host opens. */
export type FakeAgent = (guest: FakeGuest) => (stream: Duplex) => void;

/** A VM as its host sees it; tests reach it through `FakeHost.vm`. */
export class FakeVm implements FakeGuest {
  readonly spec: VmSpec;
  readonly prepared: boolean;
  readonly exited: Promise<VmExit>;
  /** Bytes that `Vm.console` answers. */
  console: Buffer = Buffer.from('');
  /** The agent never answers: streams open, and nothing comes. */
  silent = false;
  paused = false;
  /** Why it cannot be saved. */
  saveFailure: Error | undefined;
  /** The disks that were attached to its slots. */
  readonly attached: Disk[] = [];
  /** The hardware addresses of its cards, by their index, but for the first at its launch. */
  readonly cards = new Map<number, string>();
  /** The cards that were detached, or led nowhere, one after the other. */
  readonly detached: number[] = [];
  /** What takes the frames of those cards. */
  readonly uplinks = new Map<number, LaterNic['uplink']>();
  /** It has the card of its launch. */
  hasLaunchedCard = true;
  /** The error of each attachment of a card, as many as there are. */
  readonly cardFailures: Error[] = [];
  /** The shares that were attached while it was paused. */
  shares: readonly Share[] = [];
  /** The error of each `attachShares`. */
  sharesFailure: Error | undefined;
  /** The layers that were put over its disk, the last one on top. */
  readonly layers: string[] = [];
  /** Of the RAM that it says it has saved; its own where this is undefined. */
  savedBytes: number | undefined;
  /** The error of each `attach`. */
  attachFailure: Error | undefined;
  /** Disks that were attached while it ran, by the names under which they are detached. */
  readonly diskSets = new Map<string, readonly Disk[]>();
  /** What it is held to on the host, each time that was said, the launch included. */
  readonly limits: HostLimits[] = [];
  /** Why it cannot be held to anything else, once. */
  limitsFailure: Error | undefined;
  /** What the guest has; it grows while it runs. */
  memoryBytes: number;
  /** Why it cannot grow. */
  growthFailure: Error | undefined;
  /** The VMM hangs: it cannot be adopted. */
  hung = false;
  readonly #serve: (stream: Duplex) => void;
  readonly #streams = new Set<Duplex>();
  #resolveExit: (exit: VmExit) => void = () => undefined;
  #exit: VmExit | undefined;

  constructor(spec: VmSpec, agent: FakeAgent) {
    this.spec = spec;
    this.memoryBytes = spec.memoryBytes;
    this.prepared = spec.template !== undefined;
    this.exited = new Promise((resolve) => {
      this.#resolveExit = resolve;
    });
    if (spec.hostLimits !== undefined) this.limits.push(spec.hostLimits);
    this.#serve = agent(this);
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  async attach(disks: readonly Disk[]): Promise<void> {
    this.#requirePlain();
    if (this.attachFailure !== undefined) throw this.attachFailure;
    this.attached.push(...disks);
  }

  attachDisks(name: string, disks: readonly Disk[]): void {
    this.#requirePlain();
    if (this.attachFailure !== undefined) throw this.attachFailure;
    this.diskSets.set(name, disks);
  }

  attachNic(index: number, { mac, uplink }: LaterNic): void {
    const failure = this.cardFailures.shift() ?? this.attachFailure;
    if (failure !== undefined) throw failure;
    const card = this.fixedCards()?.[index];
    if (this.spec.confidential !== undefined && (card?.mac !== mac || !card.redirectable)) {
      throw new Error('there is no such card');
    }
    this.#removeCard(index);
    this.cards.set(index, mac);
    this.uplinks.set(index, uplink);
  }

  /** A confidential one has no others. */
  fixedCards(): readonly FixedCard[] | undefined {
    const { confidential, nic, moreNics = [] } = this.spec;
    if (confidential === undefined) return undefined;
    const all = nic === undefined ? [] : [nic, ...moreNics];
    return all.map(({ mac, redirectable = false }) => ({ mac, redirectable }));
  }

  detachNic(index: number): void {
    this.#removeCard(index);
    this.detached.push(index);
  }

  #removeCard(index: number): void {
    if (index === 0) this.hasLaunchedCard = false;
    this.cards.delete(index);
    this.uplinks.delete(index);
  }

  attachShares(shares: readonly Share[]): void {
    this.#requirePlain();
    if (this.spec.takesShares !== true) throw new Error('its RAM is not shared');
    if (this.sharesFailure !== undefined) throw this.sharesFailure;
    this.shares = shares;
  }

  growMemory(memoryBytes: number): void {
    if (this.growthFailure !== undefined) throw this.growthFailure;
    this.memoryBytes = Math.max(this.memoryBytes, memoryBytes);
  }

  async applyLimits(limits: HostLimits): Promise<void> {
    const failure = this.limitsFailure;
    this.limitsFailure = undefined;
    if (failure !== undefined) throw failure;
    this.limits.push(limits);
  }

  /** Writes a mark into each file. Fails where `saveFailure` is set. */
  async save({ directory }: SaveRequest, signal: AbortSignal): Promise<SavedVm> {
    this.#requirePlain();
    signal.throwIfAborted();
    if (this.saveFailure !== undefined) throw this.saveFailure;
    for (const name of Object.values(SAVED_FILES)) {
      await writeFile(join(directory, name), `${name} of ${this.spec.id}`, { flag: 'wx' });
    }
    return {
      arrangement: 'boot',
      changesSerial: TEMPLATE_SLOTS.changes,
      memory: { offset: 0, bytes: this.savedBytes ?? this.spec.memoryBytes },
    };
  }

  /** Records the layer. Fails where `saveFailure` is set. */
  async coverDisk(overlayPath: string, signal: AbortSignal): Promise<void> {
    this.#requirePlain();
    signal.throwIfAborted();
    if (this.saveFailure !== undefined) {
      await rm(overlayPath);
      throw this.saveFailure;
    }
    this.layers.push(overlayPath);
  }

  #requirePlain(): void {
    if (this.spec.confidential === undefined) return;
    throw new A3sError('unsupported-option', 'A confidential microVM cannot do that');
  }

  open(): ControlStream {
    if (!this.running) throw new A3sError('vmm-failed', 'Cannot connect: the microVM is gone');
    for (const stream of this.#streams) stream.destroy();
    const [host, guest] = duplexPair();
    this.#streams.add(host);
    host.once('close', () => this.#streams.delete(host));
    if (this.silent) guest.resume();
    else this.#serve(guest);
    return host;
  }

  /** Cuts the control stream and leaves the VM running. */
  disconnect(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  poweroff(): void {
    this.#end({ reason: 'poweroff', detail: '' });
  }

  panic(detail = 'Kernel panic - not syncing'): void {
    this.#end({ reason: 'panic', detail });
  }

  crash(detail = 'the VMM ended with signal SIGKILL'): void {
    this.#end({ reason: 'crashed', detail });
  }

  killed(): void {
    this.#end({ reason: 'killed', detail: '' });
  }

  #end(exit: VmExit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.disconnect();
    this.#resolveExit(exit);
  }
}

/** The VM as an engine hands it out. */
export function handle(vm: FakeVm, launched?: LaunchRecord): Vm {
  const confidential = vm.spec.confidential !== undefined;
  return {
    id: vm.spec.id,
    pid: 0,
    exited: vm.exited,
    connect: async (signal) => {
      signal.throwIfAborted();
      return vm.open();
    },
    pause: async () => {
      vm.paused = true;
    },
    resume: async () => {
      vm.paused = false;
    },
    attach: (disks) => vm.attach(disks),
    attachDisks: async (name, disks) => vm.attachDisks(name, disks),
    detachDisks: async (name) => {
      vm.diskSets.delete(name);
    },
    attachShares: async (shares) => vm.attachShares(shares),
    attachNic: async (index, nic) => vm.attachNic(index, nic),
    detachNic: async (index) => {
      vm.detachNic(index);
    },
    cards: async () => vm.fixedCards(),
    applyLimits: (limits) => vm.applyLimits(limits),
    size: async () => ({ cpus: vm.spec.cpus, memoryBytes: vm.memoryBytes }),
    growMemory: async (memoryBytes) => vm.growMemory(memoryBytes),
    save: (request, signal) => vm.save(request, signal),
    coverDisk: (path, signal) => vm.coverDisk(path, signal),
    kill: async () => vm.killed(),
    launched,
    console: async () => (confidential ? Buffer.alloc(0) : vm.console),
    release: async () => vm.disconnect(),
  };
}
