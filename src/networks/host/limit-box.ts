/**
 * Limits what a box reaches: rules in its namespace, and the program that goes with them.
 *
 * @module
 */

import type { Refusal } from '../egress/egress.ts';
import {
  type ReadUpTo,
  refusedByProgram,
  runsEgressProgram,
  startEgressProgram,
} from '../egress/host-program.ts';
import { egressRules } from '../egress/packet-rules.ts';
import { refusedPackets } from '../egress/refused-packets.ts';
import { type Endpoint, isOwnNetwork } from './endpoint.ts';
import { UPLINK } from './netavark.ts';
import { INSIDE } from './routed.ts';
import { runProgram } from './run-program.ts';
import { TAP } from './tap.ts';

/** What was refused to a box. */
export interface BoxRefusal extends Refusal {
  /** Ids. */
  readonly box: string;
  readonly network: string;
}

/** Loads the rules, before anything is forwarded. Nothing happens where the box has no policy. */
export async function loadEgressRules(namespace: string, endpoint: Endpoint): Promise<void> {
  const { egress, address, network } = endpoint;
  if (egress === undefined) return;
  const subnet = isOwnNetwork(network) ? undefined : network.subnet;
  const place = { tap: TAP, uplink: UPLINK, inside: INSIDE, address, subnet, egress };
  await runProgram('nft', ['-f', '-'], { namespace, input: egressRules(place) });
}

/** Starts the program where it has to run and does not. */
export async function ensureEgressProgram(
  namespace: string,
  { egress }: Pick<Endpoint, 'egress'>,
  bundle: string,
): Promise<void> {
  if (egress === undefined || runsEgressProgram(namespace)) return;
  await startEgressProgram({ namespace, bundle }, egress, INSIDE);
}

/** The same refusal is told once in this time. */
const REPEAT_MS = 60_000;
const MAX_REMEMBERED = 1024;

/** What was refused in a namespace since it was asked for last. */
export class RefusalReader {
  readonly #read = new Map<string, ReadUpTo>();
  /** By namespace and refusal: when it was told. */
  readonly #told = new Map<string, number>();

  async read(namespace: string, { box, network, egress }: Endpoint): Promise<BoxRefusal[]> {
    if (egress === undefined) return [];
    const byProgram = await refusedByProgram(namespace, this.#read.get(namespace));
    if (byProgram.upTo !== undefined) this.#read.set(namespace, byProgram.upTo);
    const packets = await refusedPackets(namespace, egress.policies);
    return [...byProgram.refusals, ...packets]
      .filter((refusal) => this.#isNew(`${namespace} ${JSON.stringify(refusal)}`))
      .map((refusal) => ({ ...refusal, ...{ box, network: network.id } }));
  }

  #isNew(refusal: string): boolean {
    const now = performance.now();
    if ((this.#told.get(refusal) ?? -REPEAT_MS) + REPEAT_MS > now) return false;
    if (this.#told.size >= MAX_REMEMBERED) this.#told.clear();
    this.#told.set(refusal, now);
    return true;
  }

  forget(namespace: string): void {
    this.#read.delete(namespace);
  }
}
