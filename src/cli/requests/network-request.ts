/**
 * The flags of a box's network, as part of a create request.
 *
 * @module
 */
import type { CreateBody } from '../../docker-api/containers/create.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { UsageError } from '../usage-error.ts';
import { type NetworkFlag, parseNetwork } from '../values/network.ts';

export interface NetworkRequest {
  /** The main network, for `HostConfig.NetworkMode`. */
  readonly mode: string;
  /** Undefined: nothing is asked for but the mode. */
  readonly networking: CreateBody['NetworkingConfig'];
}

/** @throws UsageError in Docker's words for flags that contradict each other */
export function networkRequest(flags: FlagValues): NetworkRequest {
  const [first = parseNetwork('default'), ...others] = flags.parsedList('network', parseNetwork);
  const main = withFlags(first, flags);
  const endpoints = [main, ...others].filter(
    (each) => each !== main || hasSettings(each) || others.length > 0,
  );
  if (endpoints.length === 0) return { mode: main.name, networking: undefined };
  return {
    mode: main.name,
    networking: { EndpointsConfig: Object.fromEntries(endpoints.map(endpointOf)) },
  };
}

/**
 * The flags beside `--network` are about the first network, where it does not say the same itself.
 */
function withFlags(network: NetworkFlag, flags: FlagValues): NetworkFlag {
  const aliases = flags.list('network-alias');
  const ip = flags.string('ip') ?? '';
  const ip6 = flags.string('ip6') ?? '';
  const linkLocal = flags.list('link-local-ip');
  const mac = flags.string('mac-address') ?? '';
  conflict(aliases, network.aliases, '--network-alias', 'alias');
  conflict(ip, network.ip, '--ip', 'IPv4 address');
  conflict(ip6, network.ip6, '--ip6', 'IPv6 address');
  conflict(linkLocal, network.linkLocal, '--link-local-ip', 'link-local IP addresses');
  conflict(mac, network.mac, '--mac-address', 'MAC address');
  return {
    name: network.name,
    aliases: [...network.aliases, ...aliases],
    ip: ip || network.ip,
    ip6: ip6 || network.ip6,
    mac: mac || network.mac,
    priority: network.priority,
    linkLocal: [...network.linkLocal, ...linkLocal],
    driverOptions: network.driverOptions,
  };
}

function conflict(
  flag: string | readonly string[],
  ofNetwork: string | readonly string[],
  name: string,
  what: string,
): void {
  if (flag.length === 0 || ofNetwork.length === 0) return;
  throw new UsageError(`conflicting options: cannot specify both ${name} and per-network ${what}`, {
    remedy: 'Say it once.',
  });
}

function hasSettings(network: NetworkFlag): boolean {
  const [, endpoint] = endpointOf(network);
  return Object.keys(endpoint).length > 0;
}

function endpointOf(network: NetworkFlag): [string, object] {
  const { name, aliases, ip, ip6, mac, priority, linkLocal, driverOptions } = network;
  return [
    name,
    {
      ...(aliases.length === 0 ? {} : { Aliases: aliases }),
      ...(ip + ip6 === '' && linkLocal.length === 0
        ? {}
        : {
            IPAMConfig: {
              ...(ip === '' ? {} : { IPv4Address: ip }),
              ...(ip6 === '' ? {} : { IPv6Address: ip6 }),
              ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }),
            },
          }),
      ...(mac === '' ? {} : { MacAddress: mac }),
      ...(priority === 0 ? {} : { GwPriority: priority }),
      ...(Object.keys(driverOptions).length === 0 ? {} : { DriverOpts: driverOptions }),
    },
  ];
}
