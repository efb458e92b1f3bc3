/**
 * The IPv6 subnet of a network: read as it was asked for, or chosen.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import {
  contains6,
  formatAddress6,
  formatSubnet6,
  overlap6,
  parseAddress6,
  parseCidr6,
  randomSubnet6,
  readSubnet6,
  type Subnet6,
  subnetAt6,
} from './ipv6.ts';
import type { NetworkRecord } from './network.ts';
import { mtuOf } from './options.ts';
import type { NetworkRequest } from './request.ts';

interface PlannedSubnet6 {
  readonly subnet: Subnet6;
  readonly gateway: bigint;
  readonly ipRange: Subnet6 | undefined;
  readonly auxAddresses: Readonly<Record<string, bigint>>;
}

/** The smallest that carries IPv6: RFC 8200, 5. */
const MIN_MTU = 1280;
/** A box needs an address besides those of the subnet's routers and of the gateway. */
const MIN_BITS = 8;
const MAX_BITS = 126;

/** Subnets that no network can have, with what they are for: RFC 4291, 2.4. */
const RESERVED: readonly (readonly [Subnet6, string])[] = [
  [readSubnet6('::/8'), 'it has the loopback address and others that name no host'],
  [readSubnet6('100::/64'), 'it has addresses that lead nowhere'],
  [readSubnet6('fe80::/10'), 'it has link-local addresses'],
  [readSubnet6('ff00::/8'), 'it has multicast addresses'],
];

/**
 * @returns undefined where none was asked for
 * @throws A3sError `invalid-argument`, in Docker's words where it has some
 */
export function planSubnet6({
  ipv6,
  options,
}: Pick<NetworkRequest, 'ipv6' | 'options'>): PlannedSubnet6 | undefined {
  if (ipv6 === undefined) return undefined;
  const mtu = mtuOf(options);
  if (mtu !== undefined && mtu < MIN_MTU) {
    throw invalid(`the MTU ${mtu} is less than the ${MIN_MTU} bytes that IPv6 needs`);
  }
  const subnet = ipv6.subnet === '' ? randomSubnet6() : readAskedSubnet(ipv6.subnet);
  const gateway =
    ipv6.gateway === ''
      ? subnet.base + 1n
      : addressIn(subnet, ipv6.gateway, `gateway ${shown(ipv6.gateway)}`);
  if (gateway === subnet.base) {
    throw invalid(
      `invalid gateway ${ipv6.gateway}: it is the address of all routers of the subnet`,
    );
  }
  const { ipRange = '', auxAddresses = {} } = ipv6;
  const aux = Object.entries(auxAddresses).map(([name, text]): [string, bigint] => [
    name,
    addressIn(subnet, text, `auxiliary address ${shown(name)}`),
  ]);
  return {
    ...{ subnet, gateway, auxAddresses: Object.fromEntries(aux) },
    ipRange: ipRange === '' ? undefined : rangeIn(subnet, ipRange),
  };
}

function addressIn(subnet: Subnet6, text: string, what: string): bigint {
  const address = parseAddress6(text);
  if (address === undefined) throw invalid(`invalid ${what}: it is no IPv6 address`);
  if (contains6(subnet, address)) return address;
  const parent = formatSubnet6(subnet);
  throw invalid(`invalid ${what}: parent subnet ${parent} doesn't contain this address`);
}

function rangeIn(subnet: Subnet6, text: string): Subnet6 {
  const cidr = parseCidr6(text);
  if (cidr === undefined) throw invalid(`invalid ip-range ${shown(text)}: it is no CIDR notation`);
  const range = subnetAt6(cidr.address, cidr.bits);
  const parent = formatSubnet6(subnet);
  if (range.bits < subnet.bits) {
    throw invalid(
      `invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${parent}`,
    );
  }
  if (range.base !== cidr.address) {
    throw invalid(`invalid ip-range ${text}: it should be ${formatSubnet6(range)}`);
  }
  if (overlap6(subnet, range)) return range;
  throw invalid(`invalid ip-range ${text}: parent subnet ${parent} doesn't contain ip-range`);
}

/** As the record of a network has it. */
export function recordedSubnet6({
  subnet,
  gateway,
  ipRange,
  auxAddresses,
}: PlannedSubnet6): NonNullable<NetworkRecord['ipv6']> {
  const aux = Object.entries(auxAddresses).map(([name, each]) => [name, formatAddress6(each)]);
  return {
    ...{ subnet: formatSubnet6(subnet), gateway: formatAddress6(gateway) },
    ...(ipRange === undefined ? {} : { ipRange: formatSubnet6(ipRange) }),
    ...(aux.length === 0 ? {} : { auxAddresses: Object.fromEntries(aux) }),
  };
}

function readAskedSubnet(text: string): Subnet6 {
  const cidr = parseCidr6(text);
  if (cidr === undefined) throw invalid(`invalid subnet ${shown(text)}: it is no CIDR notation`);
  const subnet = subnetAt6(cidr.address, cidr.bits);
  if (subnet.base !== cidr.address) {
    throw invalid(`invalid subnet ${text}: it should be ${formatSubnet6(subnet)}`);
  }
  if (subnet.bits < MIN_BITS || subnet.bits > MAX_BITS) {
    throw invalid(`invalid subnet ${text}: its prefix must have ${MIN_BITS} to ${MAX_BITS} bits`);
  }
  for (const [reserved, why] of RESERVED) {
    if (overlap6(reserved, subnet)) throw invalid(`invalid subnet ${text}: ${why}`);
  }
  return subnet;
}

function invalid(reason: string): A3sError {
  return new A3sError('invalid-argument', `invalid network config: ${reason}`, {
    remedy: 'Write an IPv6 subnet as fd00:89::/64, with the gateway inside it.',
  });
}

function shown(text: string): string {
  return text.slice(0, 64);
}
