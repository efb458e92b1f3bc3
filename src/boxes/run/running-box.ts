/**
 * A box with a microVM: the connection to its agent, and its input.
 *
 * @module
 */
import { setMaxListeners } from 'node:events';
import { KeyedLock } from '../../async/keyed-lock.ts';
import type { Vm, VmExit } from '../../engine/vm/vm.ts';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import { KeptGuest, type KeptGuestOptions } from '../../guest/kept-guest.ts';
import { BoxInput } from './input.ts';
import { RatlsConnections } from './ratls-connections.ts';

export interface RunningBoxOptions extends Omit<KeptGuestOptions, 'signal'> {
  /** Disposed when the microVM is gone, or when this server releases the box. */
  readonly held?: Disposable | undefined;
}

export class RunningBox {
  readonly id: string;
  readonly run: number;
  readonly vm: Vm;
  readonly input: BoxInput;
  /** Settles when the record says that the run is over. Never rejects. */
  readonly finished: Promise<void>;
  readonly finish: () => void;
  /** Aborts when this server releases the box, or when the microVM is gone. */
  readonly signal: AbortSignal;
  /** Held while its processes are being frozen or thawed. */
  readonly freezeLock = new KeyedLock();
  /** Held while it is paused for a while, such as for a commit. */
  readonly pauseLock = new KeyedLock();
  readonly #ended = new AbortController();
  readonly #held: Disposable | undefined;
  readonly #guest: KeptGuest;
  #vmExit: VmExit | undefined;
  #released = false;
  #leave: () => void = () => undefined;
  /** Settles when this server releases the box. */
  readonly left: Promise<void>;
  /** Whether the box is followed to its end, so that `finished` will settle. */
  watched = false;
  /**
   * Whether the verb that ends this run needs the box afterwards, also where the box is removed at
   * its end.
   */
  kept = false;
  /** Ids of the health probes that this server has started and still follows. */
  readonly probes = new Set<string>();
  /** Connections to the guest's RA-TLS server, also those that are being opened. */
  readonly ratlsConnections = new RatlsConnections();

  constructor(id: string, run: number, vm: Vm, options: RunningBoxOptions) {
    this.id = id;
    this.run = run;
    this.vm = vm;
    this.#held = options.held;
    this.signal = this.#ended.signal;
    // Every exec and every connection listens to it.
    setMaxListeners(0, this.signal);
    this.#guest = new KeptGuest(vm, { ...options, signal: this.signal });
    this.input = new BoxInput(() => this.guest());
    let finish = (): void => undefined;
    this.finished = new Promise((resolve) => {
      finish = resolve;
    });
    this.finish = finish;
    this.left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    void vm.exited.then((exit) => {
      this.#vmExit = exit;
      this.#held?.[Symbol.dispose]();
      this.#ended.abort(new A3sError('box-not-running', `The microVM of box ${id} is gone`));
    });
  }

  /** How the microVM ended; undefined while it runs. */
  get vmExit(): VmExit | undefined {
    return this.#vmExit;
  }

  /** Whether this server has released the box. */
  get released(): boolean {
    return this.#released;
  }

  /** The connection to the agent. It is made anew when it was lost. */
  guest(): Promise<Guest> {
    return this.#guest.get();
  }

  /** Releases the microVM, which runs on. */
  async release(): Promise<void> {
    this.#released = true;
    this.#leave();
    this.#ended.abort(new A3sError('box-not-running', 'The server is stopping'));
    await this.#guest.close();
    await this.vm.release();
    this.#held?.[Symbol.dispose]();
  }
}

/** The boxes with a microVM. */
export class RunningBoxes {
  readonly #boxes = new Map<string, RunningBox>();
  /**
   * By the ids of boxes that do not run: what ends the microVM that serves their files meanwhile.
   */
  readonly copying = new Map<string, AbortController>();

  get(id: string): RunningBox | undefined {
    return this.#boxes.get(id);
  }

  /** @throws A3sError `box-not-running` */
  expect(id: string): RunningBox {
    const running = this.#boxes.get(id);
    if (running === undefined) throw notRunning(id);
    return running;
  }

  add(running: RunningBox): void {
    this.#boxes.set(running.id, running);
  }

  delete(running: RunningBox): void {
    if (this.#boxes.get(running.id) === running) this.#boxes.delete(running.id);
  }

  list(): RunningBox[] {
    return [...this.#boxes.values()];
  }
}

/** The refusal of a verb that needs a running box, in Docker's words. */
export function notRunning(id: string): A3sError {
  return new A3sError('box-not-running', `Container ${id} is not running`, {
    remedy: 'Start it with a3s-box run, or the API’s start.',
  });
}
