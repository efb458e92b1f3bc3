/**
 * Says what would happen to a connection of a box, in each of its networks that leads outside.
 *
 * @module
 */
import { hostName } from '@a3s-box/policies/network-policy';
import { A3sError } from '../../errors.ts';
import {
  type Address,
  type AnySubnet,
  containsAny,
  parseAnyAddress,
  readAnySubnet,
} from '../../networks/address.ts';
import { type Asked, type Explanation, explain } from '../../networks/egress/explain.ts';
import { allHostSubnets } from '../../networks/host-subnets.ts';
import type { NetworkRecord } from '../../networks/network.ts';
import type { Box } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { serversIn } from '../spec/egress.ts';

/** What is asked: a name or an address, a port and a protocol. */
export interface AskedConnection {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface ExplainedNetwork extends Explanation {
  /** Its name. */
  readonly network: string;
}

/** @throws A3sError `invalid-argument` for what is neither a name nor an address */
export async function explainEgress(
  { networks }: Pick<Services, 'networks'>,
  { definition }: Box,
  { host, port, protocol }: AskedConnection,
): Promise<ExplainedNetwork[]> {
  const asked: Asked = { ...target(host), port, protocol };
  const own = await allHostSubnets();
  const ofBox =
    definition.egress === undefined ? [] : [{ of: 'box' as const, ...definition.egress }];
  const explained = (network: string, record?: NetworkRecord): ExplainedNetwork => {
    const policy = record?.egress;
    const ofNetwork = policy === undefined ? [] : [{ of: 'network' as const, ...policy }];
    const resolvers = serversIn(definition, record).flatMap((text) => parseAnyAddress(text) ?? []);
    const subnets = record === undefined ? [] : subnetsOf(record);
    const asks = { own, subnets, hasIpv6: record?.ipv6 !== undefined, resolvers };
    return { network, ...explain([...ofBox, ...ofNetwork], asked, asks) };
  };
  const records = definition.endpoints.flatMap(({ network }) => networks.get(network) ?? []);
  // What is in a network goes there, also where that network has no way out.
  const { address } = asked;
  const inside = records.filter((record) => address !== undefined && has(record, address));
  if (inside.length > 0) return inside.map((record) => explained(record.name, record));
  const outward = records.flatMap((record) =>
    record.internal ? [] : [explained(record.name, record)],
  );
  return definition.network === 'default' ? [explained('bridge'), ...outward] : outward;
}

function subnetsOf({ subnet, ipv6 }: NetworkRecord): AnySubnet[] {
  return [subnet, ...(ipv6 === undefined ? [] : [ipv6.subnet])].map(readAnySubnet);
}

function has(record: NetworkRecord, address: Address): boolean {
  return subnetsOf(record).some((subnet) => containsAny(subnet, address));
}

function target(host: string): Pick<Asked, 'name' | 'address'> {
  const address = parseAnyAddress(host.replace(/^\[(.*)\]$/, '$1'));
  if (address !== undefined) return { address };
  const name = hostName(host);
  if (name !== undefined) return { name };
  throw new A3sError(
    'invalid-argument',
    `Cannot explain ${JSON.stringify(host.slice(0, 128))}: it is neither a host name nor an address`,
    { remedy: 'Write HOST:PORT, such as api.example.org:443.' },
  );
}
