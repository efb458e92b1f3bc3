/**
 * Limits what a box reaches: rules in its namespace, and the program that goes with them.
 *
 * @module
 */

import type { Refusal } from '../egress/egress.ts';
import {
  type ProgramPlace,
  type ReadUpTo,
  refusedByProgram,
  runsEgressProgram,
  startEgressProgram,
} from '../egress/host-program.ts';
import { egressRules } from '../egress/packet-rules.ts';
import { Recent } from '../egress/recent.ts';
import { refusedPackets } from '../egress/refused-packets.ts';
import { type Endpoint, isOwnNetwork } from './endpoint.ts';
import { UPLINK } from './netavark.ts';
import { INSIDE } from './routed.ts';
import { INSIDE6 } from './routed6.ts';
import { runProgram } from './run-program.ts';
import { TAP } from './tap.ts';

/** What was refused to a box. */
export interface BoxRefusal extends Refusal {
  /** Ids. */
  readonly box: string;
  readonly network: string;
}

/** The program that limits boxes, as this server has it. */
export type LimitingProgram = Omit<ProgramPlace, 'namespace'>;

/** The rules of the limits; empty where the box has no policy. No address of a name is open. */
export function limitingRules({ egress, address, address6, network }: Endpoint): string {
  if (egress === undefined) return '';
  const subnet = isOwnNetwork(network) ? undefined : network.subnet;
  const ipv6 =
    network.ipv6 === undefined || address6 === undefined
      ? undefined
      : { inside: INSIDE6, address: address6, ...network.ipv6 };
  return egressRules({ tap: TAP, uplink: UPLINK, inside: INSIDE, address, subnet, ipv6, egress });
}

/** Whether the program has to run and does not. */
export function lacksEgressProgram(
  namespace: string,
  { egress }: Pick<Endpoint, 'egress'>,
): boolean {
  return egress !== undefined && !runsEgressProgram(namespace);
}

/** Starts the program where it has to run and does not, in a namespace that has just its rules. */
export async function ensureEgressProgram(
  namespace: string,
  { egress, address6 }: Pick<Endpoint, 'egress' | 'address6'>,
  program: LimitingProgram,
): Promise<void> {
  if (egress === undefined || runsEgressProgram(namespace)) return;
  const inside6 = address6 === undefined ? {} : { inside6: INSIDE6 };
  await startEgressProgram({ namespace, ...program }, egress, { inside: INSIDE, ...inside6 });
}

/** The same after a program that has ended, and that knew for which names addresses are open. */
export async function restartEgressProgram(
  namespace: string,
  endpoint: Endpoint,
  program: LimitingProgram,
): Promise<void> {
  if (!lacksEgressProgram(namespace, endpoint)) return;
  await runProgram('nft', ['-f', '-'], { namespace, input: limitingRules(endpoint) });
  await ensureEgressProgram(namespace, endpoint, program);
}

/** Refusals of a namespace that are remembered, so that each is told once in a while. */
const MAX_REMEMBERED = 256;

interface Told {
  readonly upTo: ReadUpTo | undefined;
  readonly recent: Recent;
}

/** What was refused in a namespace since it was asked for last. */
export class RefusalReader {
  /** By namespace. */
  readonly #told = new Map<string, Told>();

  async read(
    namespace: string,
    { box, network, egress, address6 }: Endpoint,
  ): Promise<BoxRefusal[]> {
    if (egress === undefined) return [];
    const told = this.#told.get(namespace);
    const recent = told?.recent ?? new Recent(MAX_REMEMBERED, () => performance.now() / 1000);
    const byProgram = await refusedByProgram(namespace, told?.upTo);
    const packets = await refusedPackets(namespace, egress.policies, address6 !== undefined);
    // Not before both were read: what fails is read again.
    this.#told.set(namespace, { upTo: byProgram.upTo, recent });
    return [...byProgram.refusals, ...packets]
      .filter((refusal) => recent.isNew(JSON.stringify(refusal)))
      .map((refusal) => ({ ...refusal, ...{ box, network: network.id } }));
  }

  forget(namespace: string): void {
    this.#told.delete(namespace);
  }
}
