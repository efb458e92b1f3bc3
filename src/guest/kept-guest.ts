/**
 * The connection to the agent of a VM, kept for as long as it lasts.
 *
 * @module
 */
import type { Vm } from '../engine/vm/vm.ts';
import { connectGuest, type KnownAgent } from './connection.ts';
import type { Guest } from './guest.ts';

export interface KeptGuestOptions {
  /** Ends attempts to connect. */
  readonly signal: AbortSignal;
  /** Time for the guest to boot, or to answer again. */
  readonly connectMs: number;
  /**
   * Set for a start from a template or a memory snapshot: how its agent is first contacted, and
   * within which time, before anything else is requested.
   */
  readonly firstContact?: { readonly known: KnownAgent; readonly connectMs: number } | undefined;
  /** The connection that the microVM already has. */
  readonly guest?: Guest | undefined;
}

export class KeptGuest {
  readonly #vm: Vm;
  readonly #signal: AbortSignal;
  readonly #connectMs: number;
  #firstContact: KeptGuestOptions['firstContact'];
  #guest: Promise<Guest> | undefined;

  constructor(vm: Vm, { signal, connectMs, firstContact, guest }: KeptGuestOptions) {
    this.#vm = vm;
    this.#signal = signal;
    this.#connectMs = connectMs;
    this.#firstContact = firstContact;
    if (guest !== undefined) this.#keep(Promise.resolve(guest));
  }

  /** It is made anew when it was lost. */
  get(): Promise<Guest> {
    if (this.#guest !== undefined) return this.#guest;
    const first = this.#firstContact;
    const connecting = connectGuest(this.#vm, {
      signal: this.#signal,
      deadlineMs: first?.connectMs ?? this.#connectMs,
      ...(first === undefined ? {} : { known: first.known }),
    });
    this.#keep(connecting);
    return connecting;
  }

  /** Closes it. The VM runs on. */
  async close(): Promise<void> {
    await this.#guest?.then(
      (guest) => guest.close(),
      () => undefined,
    );
  }

  #keep(connecting: Promise<Guest>): void {
    this.#guest = connecting;
    const forget = (): void => {
      if (this.#guest === connecting) this.#guest = undefined;
    };
    connecting.then((guest) => {
      this.#firstContact = undefined;
      void guest.closed.then(forget);
    }, forget);
  }
}
