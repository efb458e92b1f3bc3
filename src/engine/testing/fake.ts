/**
 * An engine without processes, for the tests of the tiers above it.
 *
 * `FakeHost` is what would be the operating system: its VMs go on when an engine is thrown away,
 * and a second `FakeEngine` on the same host adopts them, as a restarted server does.
 *
 * @module
 */
import { ftruncateSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import type { Engine } from '../engine.ts';
import { type EngineName, engineUnsupported } from '../engine-name.ts';
import type { EngineReport } from '../engine-report.ts';
import { checkPlan } from '../qemu/confidential/plan.ts';
import type { ConfidentialLaunch, Tee } from '../vm/confidential-launch.ts';
import { TEMPLATE_SLOTS } from '../vm/slots.ts';
import type { TemplateRequest, VmShape } from '../vm/template.ts';
import type { Vm } from '../vm/vm.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { fakeLaunchRecord } from './fake-launch-record.ts';
import { type FakeAgent, FakeVm, handle } from './fake-vm.ts';

/** RAM of a fake template: more than one chunk of the store. */
const TEMPLATE_BYTES = 16 * 2 ** 20;

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
  /** Engines that the host does not have, with the reasons. */
  readonly lacking = new Map<EngineName, string>();
  /** The reasons why VMs of engines get no directories of the host. */
  readonly withoutShares = new Map<EngineName, string>();
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
  configured: EngineName | undefined;
  readonly #host: FakeHost;

  constructor(host: FakeHost) {
    this.#host = host;
  }

  async reports(): Promise<readonly EngineReport[]> {
    return [
      {
        name: this.name,
        available: true,
        version: '1',
        reason: undefined,
        accelerators: [{ name: 'none', available: true, reason: undefined }],
        tees: [],
      },
    ];
  }

  async requireAvailable(name: EngineName): Promise<void> {
    const reason = this.#host.lacking.get(name);
    if (reason !== undefined) throw new A3sError('engine-unavailable', reason);
  }

  async requireShares(name: EngineName, what: string): Promise<void> {
    const reason = this.#host.withoutShares.get(name);
    if (reason !== undefined) throw engineUnsupported(name, what, reason);
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

  async templateInputs({
    cpus,
    boot,
    sparePorts = 0,
  }: VmShape): Promise<Readonly<Record<string, string>>> {
    const { kernelPath, initrdPath, commandLine } = boot;
    return {
      engine: this.name,
      cpus: String(cpus),
      'spare ports': String(sparePorts),
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
