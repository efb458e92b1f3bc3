/**
 * The first contact with a guest whose memory comes from another, as in a start from a template or
 * in a pool's microVM.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { vmUuid } from '../../engine/vm-uuid.ts';
import type { KnownAgent } from '../../guest/connection.ts';
import type { Guest } from '../../guest/guest.ts';
import { ENTROPY_BYTES, type Reseed } from '../../guest/protocol.ts';
import { now, timestamp } from '../record/clock.ts';

/**
 * How long such a guest may take to answer. The limit is generous, since fifty at once share the
 * host's processors.
 */
export const RESUME_MS = 60_000;

/**
 * The first requests to the agent of a copied guest. Before anything else it gets random numbers,
 * the time and the microVM's id. The spec is sent right after that, and the agent takes it after
 * the `reseed`.
 */
export class Handshake {
  readonly known: KnownAgent;
  #reseed: Reseed | undefined;
  #specSent: Promise<unknown> | undefined;

  /** @param putSpec sends the spec of a box or of a pod */
  constructor(vmId: string, protocol: number, putSpec: (guest: Guest) => Promise<unknown>) {
    this.known = {
      protocol,
      first: async (guest, signal) => {
        // Made once, when it is first sent. The same values may be sent twice; other values must
        // not follow.
        this.#reseed ??= {
          entropy: randomBytes(ENTROPY_BYTES).toString('base64'),
          time: timestamp(now()),
          machineId: vmUuid(vmId),
        };
        const resumed = guest.reseed(this.#reseed, signal);
        // A repeated request is answered as before.
        this.#specSent = putSpec(guest);
        this.#specSent.catch(() => undefined);
        await resumed;
      },
    };
  }

  /** The result of sending the spec; undefined before the agent is contacted. */
  get specSent(): Promise<unknown> | undefined {
    return this.#specSent;
  }
}
