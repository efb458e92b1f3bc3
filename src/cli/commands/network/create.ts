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
    list('aux-address', 'Auxiliary IPv4 addresses, which no box gets', { value: 'map' }),
    ...EGRESS_FLAGS,
    string('driver', 'Driver to manage the network: bridge', { short: 'd' }),
    string('gateway', 'IPv4 gateway of the subnet', { value: 'address' }),
    bool('internal', 'Restrict external access to the network'),
    string('ip-range', 'Allocate box addresses from a sub-range', { value: 'range' }),
    string('ipam-driver', 'IP address management driver (default "default")'),
    list('label', 'Set metadata on a network'),
    list('opt', 'Set driver specific options', { short: 'o', value: 'map' }),
    list('subnet', 'Subnet in CIDR format that represents a network segment', { value: 'subnet' }),
    refused('config-from', OWN_CONFIGURATION),
    refused('config-only', OWN_CONFIGURATION, 'bool'),
    refused('ingress', CLUSTER, 'bool'),
    refused('ipam-opt', 'addresses have no options', 'list'),
    refused('ipv6', 'boxes have no IPv6', 'bool'),
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

/** The other flags belong to the only subnet; the server refuses several. */
function subnets(flags: FlagValues): Config {
  const [first, ...others] = flags.list('subnet').flatMap((text) => text.split(','));
  const range = flags.string('ip-range') ?? '';
  const gateway = flags.string('gateway') ?? '';
  const auxiliary = toMap(flags.list('aux-address'));
  if (first === undefined) {
    if (range !== '' || gateway !== '') {
      throw new UsageError('every ip-range or gateway must have a corresponding subnet', {
        ...{ status: 1, remedy: 'Give the subnet with --subnet.' },
      });
    }
    const [address] = Object.values(auxiliary);
    if (address !== undefined) {
      throw new UsageError(`no matching subnet for aux-address ${address}`, {
        ...{ status: 1, remedy: 'Give the subnet with --subnet.' },
      });
    }
    return [];
  }
  const one = { Subnet: first, IPRange: range, Gateway: gateway, AuxiliaryAddresses: auxiliary };
  return [one, ...others.map((Subnet) => ({ Subnet }))];
}
