/**
 * What is asked for when a network is created, and the checks that need no other network.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { RecordedPolicy } from './egress/egress.ts';
import {
  contains,
  formatAddress,
  formatSubnet,
  lastOf,
  overlap,
  parseAddress,
  parseCidr,
  readSubnet,
  type Subnet,
  subnetAt,
} from './ipv4.ts';

/** One entry of IPAM's configuration. Empty texts ask for nothing. */
export interface SubnetRequest {
  /** In CIDR notation. */
  readonly subnet: string;
  readonly gateway: string;
  /** In CIDR notation: boxes get addresses of this part of the subnet. */
  readonly ipRange: string;
  /** Addresses that no box gets, by name. */
  readonly auxAddresses: Readonly<Record<string, string>>;
}

/** A network with IPv6. Empty texts leave it to the server. */
export interface Subnet6Request {
  /** In CIDR notation. */
  readonly subnet: string;
  readonly gateway: string;
  /** In CIDR notation: boxes get addresses of this part of the subnet. */
  readonly ipRange?: string;
  /** Addresses that no box gets, by name. */
  readonly auxAddresses?: Readonly<Record<string, string>>;
}

export interface NetworkRequest {
  readonly name: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Options of the driver. */
  readonly options: Readonly<Record<string, string>>;
  /** Undefined: the server chooses a subnet. */
  readonly addresses: SubnetRequest | undefined;
  /** Undefined: its boxes have no IPv6. */
  readonly ipv6?: Subnet6Request | undefined;
  /** Not even an empty list of options for addresses was given. */
  readonly withoutOptions?: boolean;
  /** What its boxes may reach outside of it. */
  readonly egress?: RecordedPolicy | undefined;
}

/** A subnet with everything that was asked of it. */
export interface PlannedSubnet {
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly ipRange: Subnet | undefined;
  readonly auxAddresses: Readonly<Record<string, number>>;
}

/** A box needs an address besides those of the network, of broadcasts and of the gateway. */
const MIN_BITS = 8;
const MAX_BITS = 30;

/** Subnets that no network can have, with what they are for. */
const RESERVED: readonly (readonly [Subnet, string])[] = [
  [readSubnet('0.0.0.0/8'), 'it has addresses that name no host'],
  [readSubnet('127.0.0.0/8'), 'it has addresses of the loopback interface'],
  [readSubnet('169.254.0.0/16'), 'it has link-local addresses'],
  [readSubnet('224.0.0.0/3'), 'it has addresses that are no unicast addresses'],
];

/**
 * Reads the subnet that was asked for.
 *
 * @throws A3sError `invalid-argument`, in Docker's words where it has some; `unsupported-option`
 * for IPv6
 */
export function planSubnet(request: SubnetRequest): PlannedSubnet {
  const subnet = readAskedSubnet(request.subnet);
  const gateway =
    request.gateway === ''
      ? subnet.base + 1
      : addressIn(subnet, request.gateway, `gateway ${shown(request.gateway)}`);
  if (gateway === subnet.base || gateway === lastOf(subnet)) {
    throw invalid(
      `invalid gateway ${formatAddress(gateway)}: it is the address of the subnet, or of its broadcasts`,
    );
  }
  const ipRange = request.ipRange === '' ? undefined : rangeIn(subnet, request.ipRange);
  const auxAddresses = Object.fromEntries(
    Object.entries(request.auxAddresses).map(([name, text]) => [
      name,
      addressIn(subnet, text, `auxiliary address ${shown(name)}`),
    ]),
  );
  return { subnet, gateway, ipRange, auxAddresses };
}

function readAskedSubnet(text: string): Subnet {
  refuseIpv6(text);
  const cidr = parseCidr(text);
  if (cidr === undefined) throw invalid(`invalid subnet ${shown(text)}: it is no CIDR notation`);
  const subnet = subnetAt(cidr.address, cidr.bits);
  if (subnet.base !== cidr.address) {
    throw invalid(`invalid subnet ${text}: it should be ${formatSubnet(subnet)}`);
  }
  if (subnet.bits < MIN_BITS || subnet.bits > MAX_BITS) {
    throw invalid(`invalid subnet ${text}: its prefix must have ${MIN_BITS} to ${MAX_BITS} bits`);
  }
  for (const [reserved, why] of RESERVED) {
    if (overlap(reserved, subnet)) throw invalid(`invalid subnet ${text}: ${why}`);
  }
  return subnet;
}

function rangeIn(subnet: Subnet, text: string): Subnet {
  refuseIpv6(text);
  const cidr = parseCidr(text);
  if (cidr === undefined) throw invalid(`invalid ip-range ${shown(text)}: it is no CIDR notation`);
  const range = subnetAt(cidr.address, cidr.bits);
  if (range.bits < subnet.bits) {
    const parent = formatSubnet(subnet);
    throw invalid(
      `invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${parent}`,
    );
  }
  if (range.base !== cidr.address) {
    throw invalid(`invalid ip-range ${text}: it should be ${formatSubnet(range)}`);
  }
  if (overlap(subnet, range)) return range;
  throw invalid(
    `invalid ip-range ${text}: parent subnet ${formatSubnet(subnet)} doesn't contain ip-range`,
  );
}

function addressIn(subnet: Subnet, text: string, what: string): number {
  refuseIpv6(text);
  const address = parseAddress(text);
  if (address === undefined) throw invalid(`invalid ${what}: it is no IPv4 address`);
  if (contains(subnet, address)) return address;
  throw invalid(
    `invalid ${what}: parent subnet ${formatSubnet(subnet)} doesn't contain this address`,
  );
}

/** @throws A3sError `unsupported-option` for an address with a colon */
export function refuseIpv6(text: string): void {
  if (!text.includes(':')) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot use the address ${shown(text)}: an IPv4 address is needed`,
    { remedy: 'Leave it out, or give an IPv4 address.' },
  );
}

function invalid(reason: string): A3sError {
  return new A3sError('invalid-argument', `invalid network config: ${reason}`, {
    remedy: 'Write a subnet as 10.89.1.0/24, with gateway and ranges inside it.',
  });
}

function shown(text: string): string {
  return text.slice(0, 64);
}
