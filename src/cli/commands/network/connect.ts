import { segment } from '../../client/client.ts';
import type { Command } from '../../command.ts';
import { byName, int, list, string } from '../../flags/flag.ts';
import { driverOptionsOf } from '../../values/network.ts';

export const connectNetwork: Command = {
  usage: '[OPTIONS] NETWORK BOX',
  description: 'Connect a box to a network, also while it runs',
  flags: byName([
    list('alias', 'Add network-scoped alias for the box'),
    list('link', 'Give the box another name for a box of the network', { value: 'box:alias' }),
    string('ip', 'IPv4 address', { value: 'address' }),
    string('ip6', 'IPv6 address', { value: 'address' }),
    int('gw-priority', 'Highest gw-priority provides the default gateway'),
    list('driver-opt', 'Option that is shown, and that no driver reads', { value: 'key=value' }),
    list('link-local-ip', 'IPv4 link-local address, which the box alone reaches', {
      value: 'address',
    }),
  ]),
  operands: { min: 2, max: 2 },
  async run({ context, flags, operands: [network = '', box = ''] }) {
    const body = {
      Container: box,
      EndpointConfig: {
        Aliases: flags.list('alias'),
        ...(flags.given('link') ? { Links: flags.list('link') } : {}),
        IPAMConfig: {
          IPv4Address: flags.string('ip') ?? '',
          ...(flags.given('link-local-ip') ? { LinkLocalIPs: flags.list('link-local-ip') } : {}),
          ...(flags.given('ip6') ? { IPv6Address: flags.string('ip6') ?? '' } : {}),
        },
        ...(flags.given('driver-opt')
          ? { DriverOpts: driverOptionsOf(flags.list('driver-opt')) }
          : {}),
        ...(flags.given('gw-priority') ? { GwPriority: flags.int('gw-priority') } : {}),
      },
    };
    const client = await context.connect();
    await client.json({ method: 'POST', path: `/networks/${segment(network)}/connect`, body });
    return 0;
  },
};
