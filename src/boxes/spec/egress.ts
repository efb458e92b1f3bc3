/**
 * The policy of a box about what it reaches outside of its networks.
 *
 * @module
 */
import { join } from 'node:path';
import { GUEST_NETWORK } from '../../engine/network.ts';
import { A3sError } from '../../errors.ts';
import { checkingIdentity } from '../../jail/identity.ts';
import { formatAnySubnet } from '../../networks/address.ts';
import type { Egress, RecordedPolicy } from '../../networks/egress/egress.ts';
import { SECRETS_FILE } from '../../networks/egress/secrets.ts';
import { allHostSubnets } from '../../networks/host-subnets.ts';
import type { NetworkRecord } from '../../networks/network.ts';
import type { Networks } from '../../networks/networks.ts';
import type { BoxDefinition } from '../record/box.ts';
import { ownServers } from './resolver.ts';

/** What of a box counts here. */
interface Limited {
  readonly egress?: RecordedPolicy | undefined;
  readonly network: BoxDefinition['network'];
  readonly endpoints: readonly unknown[];
}

/**
 * Refuses what no limited box can be.
 *
 * @throws A3sError `unsupported-option`, `invalid-argument`
 */
export function checkEgress({ egress, network, endpoints }: Limited): void {
  if (egress === undefined) return;
  if (network === 'none') {
    throw new A3sError('invalid-argument', 'Cannot limit the box: it has no network', {
      remedy: 'Leave out --network none, or the network policy.',
    });
  }
  if (network === 'default' && endpoints.length > 0) {
    throw new A3sError(
      'unsupported-option',
      'Cannot limit the box: it has the default network beside another one, so names would resolve in one, and connections leave by the other',
      { remedy: 'Name user-defined networks alone, or the default network alone.' },
    );
  }
}

/** @throws A3sError `network-unavailable` where this host cannot limit boxes */
export async function expectLimits(
  networks: Pick<Networks, 'availability'>,
  egress: RecordedPolicy | undefined,
): Promise<void> {
  if (egress === undefined) return;
  const { available, reason } = await networks.availability();
  if (available) return;
  throw new A3sError(
    'network-unavailable',
    `Cannot limit what the box reaches: ${reason ?? 'this host cannot do it'}`,
    { remedy: 'Leave the network policy out; a3s-box info says what is missing.' },
  );
}

/** What the host needs to know to limit the box in one of its networks. */
export interface AskedEgress {
  readonly definition: Pick<BoxDefinition, 'egress' | 'egressSecrets' | 'identity' | 'names'>;
  /** Undefined: the network that the box has to itself. */
  readonly network: NetworkRecord | undefined;
  /** The directory of the box. */
  readonly directory: string;
}

/**
 * The DNS servers that a box asks in a network.
 *
 * @param network undefined: the one that the box has to itself
 */
export function serversIn(
  { names }: Pick<BoxDefinition, 'names'>,
  network: Pick<NetworkRecord, 'gateway'> | undefined,
): readonly string[] {
  if (network !== undefined) return [network.gateway];
  return names.servers.length === 0 ? [GUEST_NETWORK.nameserver] : ownServers(names);
}

/** @returns undefined where neither the box nor the network has a policy */
export async function egressIn({
  definition,
  network,
  directory,
}: AskedEgress): Promise<Egress | undefined> {
  const { egress, egressSecrets, identity, names } = definition;
  const policies = [
    ...(egress === undefined ? [] : [{ of: 'box' as const, ...egress }]),
    ...(network?.egress === undefined ? [] : [{ of: 'network' as const, ...network.egress }]),
  ];
  if (policies.length === 0) return undefined;
  const servers = serversIn({ names }, network);
  return {
    ...{ uid: checkingIdentity(identity).uid, policies, namesBoxes: network !== undefined },
    ...{ resolvers: [...servers], upstreams: [...servers] },
    ...(network === undefined ? {} : { boxSubnet: network.subnet }),
    ...(network?.ipv6 === undefined ? {} : { boxSubnet6: network.ipv6.subnet }),
    ...(egressSecrets === undefined ? {} : { secretsFile: join(directory, SECRETS_FILE) }),
    ownSubnets: (await allHostSubnets()).map(formatAnySubnet),
  };
}
