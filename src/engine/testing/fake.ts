/**
 * An engine without processes, for the tests of the tiers above it.
 *
 * `FakeHost` is what would be the operating system: its VMs go on when an engine is thrown away,
 * and a second `FakeEngine` on the same host adopts them, as a restarted server does.
 *
 * @module
 */
import { ftruncateSync, writeSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { LaunchRecord } from '@a3s-box/attestation/measure';
import { A3sError } from '../../errors.ts';
import type {
  ConfidentialLaunch,
  ControlStream,
  Disk,
  Engine,
  EngineReport,
  HostLimits,
  SavedVm,
  SaveRequest,
  Tee,
  TemplateRequest,
  Vm,
  VmExit,
  VmShape,
  VmSpec,
} from '../engine.ts';
import { SAVED_FILES, TEMPLATE_SLOTS } from '../engine.ts';
import { checkPlan } from '../qemu/confidential/plan.ts';
import { duplexPair } from './duplex-pair.ts';
import { fakeLaunchRecord } from './fake-launch-record.ts';

/** RAM of a fake template: more than one chunk of the store. */
const TEMPLATE_BYTES = 16 * 2 ** 20;

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
  /** Its first card leads to a tap device that came while it was paused. */
  redirected = false;
  /** The layers that were put over its disk, the last one on top. */
  readonly layers: string[] = [];
  /** Of the RAM that it says it has saved; its own where this is undefined. */
  savedBytes: number | undefined;
  /** The error of each `attach`. */
  attachFailure: Error | undefined;
  /** What it is held to on the host, each time that was said, the launch included. */
  readonly limits: HostLimits[] = [];
  /** Why it cannot be held to anything else, once. */
  limitsFailure: Error | undefined;
  /** The VMM hangs: it cannot be adopted. */
  hung = false;
  readonly #serve: (stream: Duplex) => void;
  readonly #streams = new Set<Duplex>();
  #resolveExit: (exit: VmExit) => void = () => undefined;
  #exit: VmExit | undefined;

  constructor(spec: VmSpec, agent: FakeAgent) {
    this.spec = spec;
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

  attachNic(index: number, { mac }: Parameters<Vm['attachNic']>[1]): void {
    this.#requirePlain();
    if (this.attachFailure !== undefined) throw this.attachFailure;
    this.cards.set(index, mac);
  }

  redirectNic(): void {
    this.#requirePlain();
    if (!this.paused) throw new Error('the guest could send meanwhile');
    if (this.attachFailure !== undefined) throw this.attachFailure;
    this.redirected = true;
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

type AdoptedLaunch = Pick<ConfidentialLaunch, 'tee' | 'guestStatePath'>;

/** Where fake VMs live. */
export class FakeHost {
  readonly #vms = new Map<string, FakeVm>();
  readonly #agent: FakeAgent;
  /** Every launch that was asked for, failed ones included. */
  readonly launches: VmSpec[] = [];
  /** Every template that was asked for, failed ones included. */
  readonly templates: TemplateRequest[] = [];
  /** Every VM that was looked for, with what was said of it. */
  readonly adoptions: { id: string; confidential: AdoptedLaunch | undefined }[] = [];
  /** Confidential VMs that were announced. */
  readonly expected: Tee[] = [];
  /** Ids that were swept. */
  readonly sweeps: string[] = [];
  #failures: Error[] = [];
  #templateFailures: Error[] = [];
  #gate: Promise<void> | undefined;

  constructor(agent: FakeAgent) {
    this.#agent = agent;
  }

  /** The next launch rejects with this. */
  failNextLaunch(error: Error): void {
    this.#failures.push(error);
  }

  /**
   * The next template that is asked for is not made: it rejects with this, once it was prepared.
   */
  failNextTemplate(error: Error): void {
    this.#templateFailures.push(error);
  }

  /** Launches wait until the returned function is called. */
  holdLaunches(): () => void {
    let open = (): void => undefined;
    this.#gate = new Promise((resolve) => {
      open = () => {
        this.#gate = undefined;
        resolve();
      };
    });
    return open;
  }

  /** The VM of a box, also after its end. */
  vm(id: string): FakeVm | undefined {
    return this.#vms.get(id);
  }

  get running(): readonly FakeVm[] {
    return [...this.#vms.values()].filter((vm) => vm.running);
  }

  async start(spec: VmSpec, signal: AbortSignal): Promise<FakeVm> {
    this.launches.push(spec);
    const { confidential } = spec;
    if (confidential !== undefined) {
      checkPlan({ spec: { ...spec, confidential }, accelerator: 'kvm' });
    }
    await this.#gate;
    signal.throwIfAborted();
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    if (this.#vms.get(spec.id)?.running === true) {
      throw new A3sError('conflict', `Cannot launch ${spec.id}: its microVM is running`);
    }
    const vm = new FakeVm(spec, this.#agent);
    this.#vms.set(spec.id, vm);
    return vm;
  }

  /** Prepares a VM, then leaves something to tell it by in each file. */
  async makeTemplate(request: TemplateRequest, signal: AbortSignal): Promise<void> {
    this.templates.push(request);
    const { id, runtimeDir, identity, shape, writableLayerPath, ram, devicePath } = request;
    signal.throwIfAborted();
    const vm = new FakeVm(
      {
        id,
        runtimeDir,
        identity,
        ...shape,
        memoryBytes: TEMPLATE_BYTES,
        disks: [{ path: writableLayerPath, serial: TEMPLATE_SLOTS.changes, readonly: false }],
        nic: undefined,
        shares: [],
      },
      this.#agent,
    );
    try {
      await request.prepare(handle(vm), signal);
      signal.throwIfAborted();
      const failure = this.#templateFailures.shift();
      if (failure !== undefined) throw failure;
      ftruncateSync(ram, TEMPLATE_BYTES);
      writeSync(ram, `RAM of ${id}`, TEMPLATE_BYTES / 2);
      await writeFile(writableLayerPath, `changes of ${id}`, { flag: 'r+' });
      await writeFile(devicePath, `devices of ${id}`, { flag: 'wx', mode: 0o600 });
    } finally {
      vm.killed();
    }
  }
}

/** An `Engine` over a `FakeHost`. */
export class FakeEngine implements Engine {
  readonly name = 'fake';
  readonly #host: FakeHost;

  constructor(host: FakeHost) {
    this.#host = host;
  }

  async report(): Promise<EngineReport> {
    return {
      name: this.name,
      available: true,
      version: '1',
      reason: undefined,
      accelerators: [{ name: 'none', available: true, reason: undefined }],
      tees: [],
    };
  }

  async launch(spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    const { confidential } = spec;
    const launched =
      confidential === undefined ? undefined : fakeLaunchRecord({ ...spec, confidential });
    return handle(await this.#host.start(spec, signal), launched);
  }

  async close(): Promise<void> {}

  expectConfidential(tee: Tee): void {
    this.#host.expected.push(tee);
  }

  readonly templateMemoryBytes = TEMPLATE_BYTES;

  async templateInputs({ cpus, boot }: VmShape): Promise<Readonly<Record<string, string>>> {
    const { kernelPath, initrdPath, commandLine } = boot;
    return {
      engine: this.name,
      cpus: String(cpus),
      boot: [kernelPath, initrdPath, ...commandLine].join(' '),
    };
  }

  async makeTemplate(request: TemplateRequest, signal: AbortSignal): Promise<void> {
    await this.#host.makeTemplate(request, signal);
  }

  async adopt(
    id: string,
    _runtimeDir?: string,
    confidential?: AdoptedLaunch,
  ): Promise<Vm | undefined> {
    this.#host.adoptions.push({ id, confidential });
    const vm = this.#host.vm(id);
    if (vm?.running === true && vm.hung) {
      throw new A3sError('vmm-failed', `The microVM of ${id} does not answer`);
    }
    return vm?.running === true ? handle(vm) : undefined;
  }

  async sweep(id: string): Promise<void> {
    this.#host.sweeps.push(id);
    this.#host.vm(id)?.killed();
  }
}

function handle(vm: FakeVm, launched?: LaunchRecord): Vm {
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
    attachNic: async (index, nic) => vm.attachNic(index, nic),
    redirectNic: async () => vm.redirectNic(),
    detachNic: async (index) => {
      vm.cards.delete(index);
    },
    applyLimits: (limits) => vm.applyLimits(limits),
    size: async () => ({ cpus: vm.spec.cpus, memoryBytes: vm.spec.memoryBytes }),
    save: (request, signal) => vm.save(request, signal),
    coverDisk: (path, signal) => vm.coverDisk(path, signal),
    kill: async () => vm.killed(),
    launched,
    console: async () => (confidential ? Buffer.alloc(0) : vm.console),
    release: async () => vm.disconnect(),
  };
}
