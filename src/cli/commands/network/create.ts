import type { NetworkCreateBody, NetworkCreated } from '../../../docker-api/network.ts';
import { objectOf, stringOf } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { EGRESS_FLAGS } from '../../flags/egress-flags.ts';
import { bool, byName, list, refused, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { egressRequest } from '../../requests/egress-request.ts';
import { UsageError } from '../../usage-error.ts';
import { parseLabel, toMap } from '../../values/environment.ts';

const CLUSTER = 'there is no cluster mode';
const OWN_CONFIGURATION = 'each network has a configuration of its own';

export const createNetwork: Command = {
  usage: '[OPTIONS] NETWORK',
  flags: byName([
    bool('attachable', 'Note that boxes may be attached by hand'),
    list('aux-address', 'Auxiliary addresses, which no box gets', { value: 'map' }),
    ...EGRESS_FLAGS,
    string('driver', 'Driver to manage the network: bridge', { short: 'd' }),
    list('gateway', 'IPv4 or IPv6 gateway of the subnet', { value: 'address' }),
    bool('internal', 'Restrict external access to the network'),
    string('ip-range', 'Allocate box addresses from a sub-range', { value: 'range' }),
    string('ipam-driver', 'IP address management driver (default "default")'),
    bool('ipv6', 'Enable IPv6 networking'),
    list('label', 'Set metadata on a network'),
    list('opt', 'Set driver specific options', { short: 'o', value: 'map' }),
    list('subnet', 'Subnet in CIDR format that represents a network segment', { value: 'subnet' }),
    refused('config-from', OWN_CONFIGURATION),
    refused('config-only', OWN_CONFIGURATION, 'bool'),
    refused('ingress', CLUSTER, 'bool'),
    refused('ipam-opt', 'addresses have no options', 'list'),
    refused('scope', CLUSTER),
  ]),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const egress = await egressRequest(invocation);
    const body: NetworkCreateBody = {
      Name: operands[0] ?? '',
      Driver: flags.string('driver') ?? 'bridge',
      IPAM: {
        ...{ Driver: flags.string('ipam-driver') ?? 'default', Options: {} },
        Config: subnets(flags),
      },
      Internal: flags.bool('internal'),
      Attachable: flags.bool('attachable'),
      ...(flags.bool('ipv6') ? { EnableIPv6: true } : {}),
      Options: toMap(flags.list('opt')),
      Labels: toMap(flags.parsedList('label', parseLabel)),
      ...(egress === undefined ? {} : { Egress: egress }),
    };
    const client = await context.connect();
    const call = { method: 'POST', path: '/networks/create', body } as const;
    const made = objectOf<NetworkCreated>(await client.json(call));
    const warning = stringOf(made.Warning);
    if (warning !== '') context.stderr.write(`WARNING: ${warning}\n`);
    context.stdout.write(`${stringOf(made.Id)}\n`);
    return 0;
  },
};

type Config = NonNullable<NonNullable<NetworkCreateBody['IPAM']>['Config']>;

const REMEDY = { status: 1, remedy: 'Give the subnet with --subnet.' } as const;

/** The other flags belong to the first subnet of their family; the server refuses several. */
function subnets(flags: FlagValues): Config {
  const asked = flags.list('subnet').flatMap((text) => text.split(','));
  const range = flags.string('ip-range') ?? '';
  const gateways = flags.list('gateway').flatMap((text) => text.split(','));
  const auxiliary = Object.entries(toMap(flags.list('aux-address')));
  if (asked.length < Math.max(gateways.length, range === '' ? 0 : 1)) {
    throw new UsageError('every ip-range or gateway must have a corresponding subnet', REMEDY);
  }
  const rest = { gateways, ranges: range === '' ? [] : [range], auxiliary };
  const firsts = [asked.find((text) => !isIpv6(text)), asked.find(isIpv6)];
  expectSubnets(rest, firsts);
  return asked.map((Subnet) => {
    if (!firsts.includes(Subnet)) return { Subnet };
    const isOurs = (text: string) => isIpv6(text) === isIpv6(Subnet);
    const [Gateway = '', second] = gateways.filter(isOurs);
    if (second !== undefined) {
      throw new UsageError(
        `cannot configure multiple gateways (${second}, ${Gateway}) on the same subnet (${Subnet})`,
        { status: 1, remedy: 'Give one gateway.' },
      );
    }
    return {
      ...{ Subnet, Gateway, IPRange: isOurs(range) ? range : '' },
      AuxiliaryAddresses: Object.fromEntries(auxiliary.filter(([, text]) => isOurs(text))),
    };
  });
}

/** @throws UsageError in Docker's words for an address of a family that has no subnet */
function expectSubnets(
  {
    gateways,
    ranges,
    auxiliary,
  }: {
    readonly gateways: readonly string[];
    readonly ranges: readonly string[];
    readonly auxiliary: readonly (readonly [name: string, address: string])[];
  },
  firsts: readonly (string | undefined)[],
): void {
  const all = [
    ...ranges.map((text) => ['range', text] as const),
    ...gateways.map((text) => ['gateway', text] as const),
    ...auxiliary.map(([, text]) => ['aux-address', text] as const),
  ];
  const lost = all.find(([, text]) => firsts[isIpv6(text) ? 1 : 0] === undefined);
  if (lost !== undefined) {
    throw new UsageError(`no matching subnet for ${lost[0]} ${lost[1]}`, REMEDY);
  }
}

function isIpv6(text: string): boolean {
  return text.includes(':');
}
