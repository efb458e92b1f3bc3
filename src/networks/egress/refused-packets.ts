/**
 * What the packet filter of a namespace has refused since it was asked last.
 *
 * @module
 */
import * as z from 'zod';
import { runProgram } from '../host/run-program.ts';
import type { Egress, Refusal } from './egress.ts';
import { EGRESS_TABLE, REFUSED_SETS, readMark } from './packet-rules.ts';
import { describe } from './program/refusals.ts';

/** It goes back to nft as it came. */
const Value = z.union([z.string().regex(/^[\w.:-]+$/), z.int().min(0)]);
const Printed = z.object({
  nftables: z.array(
    z.looseObject({
      set: z
        .looseObject({
          elem: z
            .array(
              z.looseObject({ elem: z.looseObject({ val: z.object({ concat: z.array(Value) }) }) }),
            )
            .optional(),
        })
        .optional(),
    }),
  ),
});

/** Asks for the destinations, and has those forgotten: others may have come meanwhile. */
export async function refusedPackets(
  namespace: string,
  policies: Egress['policies'],
  hasIpv6: boolean,
): Promise<Refusal[]> {
  const sets = REFUSED_SETS.slice(0, hasIpv6 ? 2 : 1);
  const all = await Promise.all(sets.map((set) => refusedIn(namespace, policies, set)));
  return all.flat();
}

async function refusedIn(
  namespace: string,
  policies: Egress['policies'],
  set: string,
): Promise<Refusal[]> {
  const list = ['-j', '-n', 'list', 'set', ...EGRESS_TABLE.split(' '), set];
  const printed = await runProgram('nft', list, { namespace });
  const refusals = readPackets(printed, policies);
  const commands = forgetPackets(printed, set);
  if (commands.length === 0) return refusals;
  await runProgram('nft', ['-f', '-'], { namespace, input: `${commands.join('\n')}\n` });
  return refusals;
}

/** The commands that take away what nft has printed. */
export function forgetPackets(printed: string, set: string): string[] {
  const elements = elementsOf(printed).map((values) => values.join(' . '));
  if (elements.length === 0) return [];
  const element = (more: string): string =>
    `element ${EGRESS_TABLE} ${set} { ${elements.map((each) => `${each}${more}`).join(', ')} }`;
  // One whose time has ended since cannot be deleted: it comes again first, in one go.
  return [`add ${element(' timeout 1s')}`, `delete ${element('')}`];
}

/** Reads what nft prints of a set. */
export function readPackets(printed: string, policies: Egress['policies']): Refusal[] {
  return elementsOf(printed).flatMap(([address = '', number = '', port = '', said]) => {
    const mark = readMark(Number(said));
    if (mark === undefined) return [];
    const protocol = protocolName(number);
    const host = address.includes(':') ? `[${address}]` : address;
    const target = ['tcp', 'udp'].includes(protocol) ? `${host}:${port}` : host;
    return [describe(policies, { target: `${target}/${protocol}`, ...mark })];
  });
}

/** nft prints numbers where it is asked for them, and else names. */
function protocolName(protocol: string): string {
  const names: Readonly<Record<string, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp' };
  return names[protocol] ?? (/^\d+$/.test(protocol) ? `protocol ${protocol}` : protocol);
}

function elementsOf(printed: string): string[][] {
  return Printed.parse(JSON.parse(printed)).nftables.flatMap(({ set }) =>
    (set?.elem ?? []).map(({ elem: { val } }) => val.concat.map(String)),
  );
}
