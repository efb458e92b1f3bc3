/**
 * An engine without processes, for the tests of the tiers above it.
 *
 * `FakeHost` is what would be the operating system: its machines go on when an engine is thrown away, and a second
 * `FakeEngine` on the same host adopts them, as a restarted server does.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { A3sError } from '../errors.ts';
import { duplexPair } from './duplex-pair.ts';
import type { Engine, EngineReport, Machine, MachineExit, MachineSpec } from './engine.ts';

/** What the inside of a fake machine can do to it. */
export interface FakeGuest {
  readonly spec: MachineSpec;
  /** Ends the machine as the guest's own power-off does. */
  poweroff(): void;
}

/** Made once per machine; called with each control stream that a host opens. */
export type FakeAgent = (guest: FakeGuest) => (stream: Duplex) => void;

/** A machine as its host sees it; tests reach it through `FakeHost.machine`. */
export class FakeMachine implements FakeGuest {
  readonly spec: MachineSpec;
  readonly exited: Promise<MachineExit>;
  /** Bytes that `Machine.console` answers. */
  console: Buffer = Buffer.from('');
  /** The agent never answers: streams open, and nothing comes. */
  silent = false;
  paused = false;
  /** The VMM hangs: it cannot be adopted. */
  hung = false;
  readonly #serve: (stream: Duplex) => void;
  readonly #streams = new Set<Duplex>();
  #settle: (exit: MachineExit) => void = () => undefined;
  #exit: MachineExit | undefined;

  constructor(spec: MachineSpec, agent: FakeAgent) {
    this.spec = spec;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#serve = agent(this);
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  open(): Duplex {
    if (!this.running) throw new A3sError('vmm-failed', 'Cannot connect: the machine is gone');
    for (const stream of this.#streams) stream.destroy();
    const [host, guest] = duplexPair();
    this.#streams.add(host);
    host.once('close', () => this.#streams.delete(host));
    if (this.silent) guest.resume();
    else this.#serve(guest);
    return host;
  }

  /** Cuts the control stream and leaves the machine running. */
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

  #end(exit: MachineExit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.disconnect();
    this.#settle(exit);
  }
}

/** Where fake machines live. */
export class FakeHost {
  readonly #machines = new Map<string, FakeMachine>();
  readonly #agent: FakeAgent;
  /** Every launch that was asked for, failed ones included. */
  readonly launches: MachineSpec[] = [];
  /** Ids that were swept. */
  readonly sweeps: string[] = [];
  #failures: Error[] = [];
  #gate: Promise<void> | undefined;

  constructor(agent: FakeAgent) {
    this.#agent = agent;
  }

  /** The next launch rejects with this. */
  failNextLaunch(error: Error): void {
    this.#failures.push(error);
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

  /** The machine of a box, also after its end. */
  machine(id: string): FakeMachine | undefined {
    return this.#machines.get(id);
  }

  get running(): readonly FakeMachine[] {
    return [...this.#machines.values()].filter((machine) => machine.running);
  }

  async start(spec: MachineSpec, signal: AbortSignal): Promise<FakeMachine> {
    this.launches.push(spec);
    await this.#gate;
    signal.throwIfAborted();
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    if (this.#machines.get(spec.id)?.running === true) {
      throw new A3sError('conflict', `Cannot launch ${spec.id}: its machine is running`);
    }
    const machine = new FakeMachine(spec, this.#agent);
    this.#machines.set(spec.id, machine);
    return machine;
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

  async launch(spec: MachineSpec, signal: AbortSignal): Promise<Machine> {
    return handle(await this.#host.start(spec, signal));
  }

  async adopt(id: string): Promise<Machine | undefined> {
    const machine = this.#host.machine(id);
    if (machine?.running === true && machine.hung) {
      throw new A3sError('vmm-failed', `The machine of ${id} does not answer`);
    }
    return machine?.running === true ? handle(machine) : undefined;
  }

  async sweep(id: string): Promise<void> {
    this.#host.sweeps.push(id);
    this.#host.machine(id)?.killed();
  }
}

function handle(machine: FakeMachine): Machine {
  return {
    id: machine.spec.id,
    pid: 0,
    exited: machine.exited,
    connect: async (signal) => {
      signal.throwIfAborted();
      return machine.open();
    },
    pause: async () => {
      machine.paused = true;
    },
    resume: async () => {
      machine.paused = false;
    },
    kill: async () => machine.killed(),
    console: async () => machine.console,
    release: async () => machine.disconnect(),
  };
}
