/**
 * What the packet filter of a namespace has refused since it was asked last.
 *
 * @module
 */
import * as z from 'zod';
import { runProgram } from '../host/run-program.ts';
import type { Egress, Refusal } from './egress.ts';
import { EGRESS_TABLE, readMark } from './packet-rules.ts';
import { describe } from './program/refusals.ts';

const SETS = ['refused', 'refused_other'] as const;

const Value = z.union([z.string(), z.number()]);
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

/** Asks for the destinations, and has them forgotten. */
export async function refusedPackets(
  namespace: string,
  policies: Egress['policies'],
): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  for (const set of SETS) {
    const printed = await runProgram(
      'nft',
      ['-j', '-n', 'list', 'set', ...EGRESS_TABLE.split(' '), set],
      {
        namespace,
      },
    );
    const found = readPackets(printed, policies);
    if (found.length === 0) continue;
    refusals.push(...found);
    await runProgram('nft', ['flush', 'set', ...EGRESS_TABLE.split(' '), set], { namespace });
  }
  return refusals;
}

/** Reads what nft prints of a set. */
export function readPackets(printed: string, policies: Egress['policies']): Refusal[] {
  const elements = Printed.parse(JSON.parse(printed)).nftables.flatMap(
    ({ set }) => set?.elem ?? [],
  );
  return elements.flatMap(({ elem: { val } }) => {
    const [address = '', protocol = '', ...rest] = val.concat.map(String);
    const mark = readMark(Number(rest.at(-1)));
    if (mark === undefined) return [];
    const port = rest.length === 2 ? `:${rest[0]}` : '';
    return [describe(policies, { target: `${address}${port}/${protocolName(protocol)}`, ...mark })];
  });
}

/** nft prints numbers where it is asked for them, and else names. */
function protocolName(protocol: string): string {
  const names: Readonly<Record<string, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };
  return names[protocol] ?? (/^\d+$/.test(protocol) ? `protocol ${protocol}` : protocol);
}
