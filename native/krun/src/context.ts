/**
 * A context of libkrun: the configuration of a microVM that has not started.
 *
 * It ends when it is freed or started, and cannot be used then.
 *
 * @module
 */
import koffi from 'koffi';
import type { CallArguments, CallResult, ContextArguments, ContextFunction } from './call-types.ts';
import { KrunError } from './errors.ts';
import type { KrunLibrary } from './library.ts';

export class KrunContext {
  readonly #library: KrunLibrary;
  readonly #id: number;
  #ended: 'freed' | 'started' | undefined;

  private constructor(library: KrunLibrary, id: number) {
    this.#library = library;
    this.#id = id;
  }

  /** @throws KrunError */
  static create(library: KrunLibrary): KrunContext {
    return new KrunContext(library, library.call('krun_create_ctx'));
  }

  /**
   * Calls a function for this context.
   *
   * @throws KrunError `krun-misuse` after the context has ended; see {@link KrunLibrary.call}
   */
  call<N extends ContextFunction>(name: N, ...given: ContextArguments<N>): CallResult<N> {
    this.#requireUsable();
    return this.#library.call(name, ...([this.#id, ...given] as unknown as CallArguments<N>));
  }

  /** Frees the context. A second time it does nothing, as after the start. */
  free(): void {
    if (this.#ended !== undefined) return;
    this.#ended = 'freed';
    this.#library.call('krun_free_ctx', this.#id);
  }

  /**
   * Starts the microVM, which takes over the process. The context has ended even when that fails:
   * libkrun has consumed it.
   *
   * @throws KrunError
   */
  async startEnter(): Promise<never> {
    this.#requireUsable();
    this.#ended = 'started';
    return await this.#library.startEnter(this.#id);
  }

  [Symbol.dispose](): void {
    this.free();
  }

  #requireUsable(): void {
    if (this.#ended === undefined) return;
    throw new KrunError('krun-misuse', `Cannot use the context: it was ${this.#ended}`);
  }
}

/**
 * A copy of the init that libkrun brings along.
 *
 * @throws KrunError `krun-not-supported` where it was compiled without
 */
export function defaultInit(library: KrunLibrary): Uint8Array {
  const data: [unknown] = [null];
  const length: [bigint | number] = [0];
  library.call('krun_get_default_init', data, length);
  return new Uint8Array(koffi.view(data[0], Number(length[0]))).slice();
}
