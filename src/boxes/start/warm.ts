/**
 * Starts from templates: which boxes can, and how their copy of the guest becomes one of its own.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { BoxSpec } from '@a3s-box/policies';
import { type MachineShape, TEMPLATE_PLUGS, TEMPLATE_SLOTS } from '../../engine/engine.ts';
import { machineUuid } from '../../engine/machine-uuid.ts';
import type { KnownAgent } from '../../guest/connection.ts';
import { ENTROPY_BYTES, type Wake } from '../../guest/protocol.ts';
import { askedCpus, machineCpus } from '../create/resources.ts';
import type { BoxDefinition } from '../record/box.ts';
import { now, timestamp } from '../record/clock.ts';
import type { Found } from './describe.ts';

/** How long a copy may take to answer. Fifty at once share the host's processors, so it is no tight bound. */
export const WAKE_MS = 60_000;

/**
 * Why a box boots whether or not there is a template; undefined: it need not.
 *
 * This is the one place that decides it. Neither is its first run a reason nor a later one, nor its memory: more than
 * the template's is plugged in, and less is a limit in the guest. Confidential boxes do not come here.
 */
export function reasonToBoot({ layers, shares, keptChanges }: Found): string | undefined {
  const disks = Math.max(0, layers.length - TEMPLATE_SLOTS.layers.length) + (keptChanges ? 1 : 0);
  const { ports, functions } = TEMPLATE_PLUGS;
  const needed = Math.ceil(disks / functions) + Math.ceil(shares.length / functions);
  if (needed <= ports) return undefined;
  return `${layers.length} layers and ${shares.length} shares are more than a template has room for`;
}

/** What its template has to be like. */
export function shapeOf(definition: BoxDefinition, { boot }: Found): MachineShape {
  return { cpus: machineCpus(askedCpus(definition)), boot };
}

/**
 * How the agent of a copy is met: before anything else it gets random numbers, the time and the machine's id. The spec is
 * sent right behind: the agent takes it when it is awake.
 */
export class Waking {
  readonly known: KnownAgent;
  #wake: Wake | undefined;
  #specSent: Promise<unknown> | undefined;

  constructor(machineId: string, protocol: number, spec: BoxSpec) {
    this.known = {
      protocol,
      first: async (guest, signal) => {
        // Made when it is sent, and once: the same may come twice, another one must not.
        this.#wake ??= {
          entropy: randomBytes(ENTROPY_BYTES).toString('base64'),
          time: timestamp(now()),
          machineId: machineUuid(machineId),
        };
        const woken = guest.wake(this.#wake, signal);
        // The same again is answered as before.
        this.#specSent = guest.putSpec(spec);
        this.#specSent.catch(() => undefined);
        await woken;
      },
    };
  }

  /** What became of the spec; undefined before the agent is met. */
  get specSent(): Promise<unknown> | undefined {
    return this.#specSent;
  }
}
