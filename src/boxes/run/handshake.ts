/**
 * What starts from templates and pools share: which boxes must boot, the shape of their templates, and the first
 * contact with a guest whose memory is a copy.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { BoxSpec } from '@a3s-box/policies';
import { HOTPLUG_CAPACITY, TEMPLATE_SLOTS, type VmShape } from '../../engine/engine.ts';
import { vmUuid } from '../../engine/vm-uuid.ts';
import type { KnownAgent } from '../../guest/connection.ts';
import { ENTROPY_BYTES, type Reseed } from '../../guest/protocol.ts';
import type { BoxDefinition } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import { askedCpus, vmCpus } from '../spec/resources.ts';
import type { Found } from '../start/describe.ts';

/** How long such a guest may take to answer. The limit is generous, since fifty at once share the host's processors. */
export const RESUME_MS = 60_000;

/**
 * Why a box boots whether or not there is a template; undefined: it need not.
 *
 * This is the one place that decides it. Earlier runs are no reason to boot, and neither is the box's memory: what the
 * template lacks is attached, and a smaller limit is set in the guest. Confidential boxes do not come here.
 */
export function reasonToBoot({ layers, shares, keptChanges }: Found): string | undefined {
  const disks = Math.max(0, layers.length - TEMPLATE_SLOTS.layers.length) + (keptChanges ? 1 : 0);
  const { ports, functions } = HOTPLUG_CAPACITY;
  const needed = Math.ceil(disks / functions) + Math.ceil(shares.length / functions);
  if (needed <= ports) return undefined;
  return `${layers.length} layers and ${shares.length} shares are more than a template has room for`;
}

/** The shape of the template that the box needs. */
export function shapeOf(definition: BoxDefinition, { boot }: Found): VmShape {
  return { cpus: vmCpus(askedCpus(definition)), boot };
}

/**
 * The first requests to the agent of a copied guest. Before anything else it gets random numbers, the time and the
 * microVM's id. The spec is sent right after that, and the agent takes it after the `reseed`.
 */
export class Handshake {
  readonly known: KnownAgent;
  #reseed: Reseed | undefined;
  #specSent: Promise<unknown> | undefined;

  constructor(vmId: string, protocol: number, spec: BoxSpec) {
    this.known = {
      protocol,
      first: async (guest, signal) => {
        // Made once, when it is first sent. The same values may be sent twice; other values must not follow.
        this.#reseed ??= {
          entropy: randomBytes(ENTROPY_BYTES).toString('base64'),
          time: timestamp(now()),
          machineId: vmUuid(vmId),
        };
        const resumed = guest.reseed(this.#reseed, signal);
        // A repeated request is answered as before.
        this.#specSent = guest.putSpec(spec);
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
