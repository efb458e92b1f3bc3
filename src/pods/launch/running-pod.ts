/**
 * A pod with a microVM: the connection to its agent, and what is followed of its containers.
 *
 * @module
 */
import { setMaxListeners } from 'node:events';
import type { BoxInput } from '../../boxes/run/input.ts';
import type { Vm, VmExit } from '../../engine/vm/vm.ts';
import { A3sError } from '../../errors.ts';
import type { Guest } from '../../guest/guest.ts';
import { KeptGuest, type KeptGuestOptions } from '../../guest/kept-guest.ts';
import type { ContainerOutput } from '../logs/container-output.ts';

export interface RunningPodOptions extends Omit<KeptGuestOptions, 'signal'> {
  /** Disposed when the microVM is gone, or when this server releases the pod. */
  readonly held?: Disposable | undefined;
}

export class RunningPod {
  readonly id: string;
  readonly vm: Vm;
  /** Aborts when this server releases the pod, or when the microVM is gone. */
  readonly signal: AbortSignal;
  /** By the ids of containers that run: settles when the record says that one has ended. */
  readonly followed = new Map<string, Promise<void>>();
  /** The output of each of them. */
  readonly outputs = new Map<string, ContainerOutput>();
  /** The input of each of them that a client was attached to. */
  readonly inputs = new Map<string, BoxInput>();
  /** Ids of the execs that this server has started, until the agent has forgotten them. */
  readonly execs = new Set<string>();
  /** Settles when the record says that the pod is stopped, or this server releases it. */
  finished: Promise<void> = Promise.resolve();
  readonly #ended = new AbortController();
  readonly #held: Disposable | undefined;
  readonly #guest: KeptGuest;
  #vmExit: VmExit | undefined;
  #released = false;

  constructor(id: string, vm: Vm, options: RunningPodOptions) {
    this.id = id;
    this.vm = vm;
    this.#held = options.held;
    this.signal = this.#ended.signal;
    // Every container and every exec listens to it.
    setMaxListeners(0, this.signal);
    this.#guest = new KeptGuest(vm, { ...options, signal: this.signal });
    void vm.exited.then((exit) => {
      this.#vmExit = exit;
      this.#held?.[Symbol.dispose]();
      this.#ended.abort(new A3sError('conflict', `The microVM of pod ${id} is gone`));
    });
  }

  /** How the microVM ended; undefined while it runs. */
  get vmExit(): VmExit | undefined {
    return this.#vmExit;
  }

  /** Whether this server has released the pod. */
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
    this.#ended.abort(new A3sError('conflict', 'The server is stopping'));
    await this.#guest.close();
    await Promise.all(this.followed.values());
    await this.vm.release();
    this.#held?.[Symbol.dispose]();
  }
}

/** The pods with a microVM. */
export class RunningPods {
  readonly #pods = new Map<string, RunningPod>();

  get(id: string): RunningPod | undefined {
    return this.#pods.get(id);
  }

  /** @throws A3sError `conflict` for a pod without a microVM */
  expect(id: string): RunningPod {
    const running = this.#pods.get(id);
    if (running !== undefined) return running;
    throw new A3sError('conflict', `The pod ${id} is not ready`, {
      remedy: 'Remove it (crictl rmp POD); Kubernetes makes another one.',
    });
  }

  add(running: RunningPod): void {
    this.#pods.set(running.id, running);
  }

  delete(running: RunningPod): void {
    if (this.#pods.get(running.id) === running) this.#pods.delete(running.id);
  }

  list(): RunningPod[] {
    return [...this.#pods.values()];
  }
}
