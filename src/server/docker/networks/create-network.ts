/**
 * Turns Docker's document of a new network into a request.
 *
 * @module
 */
import type * as z from 'zod';
import type { NetworkCreateBody } from '../../../docker-api/network.ts';
import { A3sError } from '../../../errors.ts';
import type { NetworkRequest, Subnet6Request, SubnetRequest } from '../../../networks/request.ts';
import { egressRequest } from '../egress-request.ts';

type Body = z.output<typeof NetworkCreateBody>;

/**
 * @throws A3sError `unsupported-option` with the name, `no-such-driver`, `network-forbidden`,
 * `invalid-argument`
 */
export function networkRequest(body: Body): NetworkRequest {
  checkDriver(body.Driver);
  checkScope(body);
  const { Name, Internal, Attachable, Labels, Options, IPAM } = body;
  if (!['', 'default'].includes(IPAM.Driver)) {
    const shown = IPAM.Driver.slice(0, 128);
    throw noPlugin(shown);
  }
  const [option] = Object.keys(IPAM.Options ?? {});
  if (option !== undefined) {
    throw unsupported(`IPAM.Options ${option.slice(0, 64)}`, 'addresses have no options');
  }
  return {
    name: Name,
    internal: Internal,
    attachable: Attachable,
    labels: Labels,
    options: Options,
    ...subnetRequests(IPAM.Config, body.EnableIPv6),
    withoutOptions: IPAM.Options === undefined,
    egress: egressRequest(body.Egress),
  };
}

const SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** Docker's drivers, beside those of plugins. */
function checkDriver(driver: string): void {
  switch (driver) {
    case '':
    case 'bridge':
    case 'default':
      return;
    case 'host':
    case 'null':
      throw new A3sError(
        'network-forbidden',
        `only one instance of "${driver}" network is allowed`,
        {
          remedy: 'Use the driver bridge.',
        },
      );
    case 'overlay':
      throw new A3sError('network-forbidden', SWARM, { remedy: 'Use the driver bridge.' });
    case 'ipvlan':
    case 'macvlan':
      throw unsupported(
        `the driver ${driver}`,
        'boxes are not put on the networks of the host; use the driver bridge',
      );
    default:
      throw noPlugin(driver.slice(0, 128));
  }
}

function noPlugin(name: string): A3sError {
  return new A3sError(
    'no-such-driver',
    `could not find plugin ${name} in v1 plugin registry: plugin not found`,
    { remedy: 'Leave the driver out.' },
  );
}

function checkScope({ Scope, EnableIPv4, Ingress, ConfigOnly, ConfigFrom }: Body): void {
  if (!['', 'local'].includes(Scope)) throw unsupported(`Scope ${Scope}`, 'there is no swarm');
  if (Ingress) throw unsupported('Ingress', 'there is no swarm');
  if (ConfigOnly || ConfigFrom.Network !== '') {
    throw unsupported('ConfigOnly and ConfigFrom', 'each network has a configuration of its own');
  }
  if (!EnableIPv4) throw unsupported('EnableIPv4 false', 'boxes have IPv4 in every network');
}

type Config = Body['IPAM']['Config'][number];

/** At most one subnet of each family. */
function subnetRequests(
  config: readonly Config[],
  withIpv6: boolean,
): Pick<NetworkRequest, 'addresses' | 'ipv6'> {
  const asked = config.filter(
    ({ Subnet, IPRange, Gateway, AuxiliaryAddresses }) =>
      Subnet + IPRange + Gateway !== '' || Object.keys(AuxiliaryAddresses).length > 0,
  );
  if (asked.some(({ Subnet }) => Subnet === '')) {
    throw new A3sError(
      'invalid-argument',
      'invalid network config: every ip-range or gateway must have a corresponding subnet',
      { remedy: 'Give a subnet as well.' },
    );
  }
  const [six, ...others6] = asked.filter(({ Subnet }) => Subnet.includes(':'));
  const [four, ...others] = asked.filter(({ Subnet }) => !Subnet.includes(':'));
  if (others.length + others6.length > 0) {
    throw new A3sError('network-forbidden', "bridge driver doesn't support multiple subnets", {
      remedy: 'Give one subnet of each family.',
    });
  }
  if (six !== undefined && !withIpv6) {
    throw new A3sError(
      'invalid-argument',
      `invalid network config: the subnet ${six.Subnet} is of IPv6, which the network has not`,
      { remedy: 'Ask for it with --ipv6 (EnableIPv6), or leave the subnet out.' },
    );
  }
  return {
    addresses: four === undefined ? undefined : subnetRequest(four),
    ipv6: withIpv6 ? subnet6Request(six) : undefined,
  };
}

function subnetRequest(asked: Config): SubnetRequest {
  return {
    subnet: asked.Subnet,
    gateway: asked.Gateway,
    ipRange: asked.IPRange,
    auxAddresses: asked.AuxiliaryAddresses,
  };
}

function subnet6Request(asked: Config | undefined): Subnet6Request {
  if (asked === undefined) return { subnet: '', gateway: '' };
  return subnetRequest(asked);
}

function unsupported(name: string, why: string): A3sError {
  return new A3sError(
    'unsupported-option',
    `Cannot create the network: ${name} is not supported: ${why}`,
    { remedy: 'Leave the option out.' },
  );
}
