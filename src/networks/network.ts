/**
 * What a user-defined network is on record.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import { RecordedPolicy } from './egress/egress.ts';

/**
 * IPAM configuration as it was asked for, which `inspect` shows. Addresses are in dotted notation.
 */
const AskedAddresses = z.strictObject({
  /** Absent: the server chose the subnet, and boxes choose no address in it. */
  subnet: z.string().optional(),
  gateway: z.string().optional(),
  /** Addresses that no box gets, by the name that the user gave each. */
  auxAddresses: z.record(z.string(), z.string()),
  /** An IPv6 subnet was asked for, so that boxes may choose an address in it. */
  subnet6: z.literal(true).optional(),
  /** The client gave no list of options, not even an empty one, which Docker shows. */
  withoutOptions: z.literal(true).optional(),
});

export const NetworkRecord = z.strictObject({
  /** 64 hexadecimal digits. */
  id: z.string(),
  name: z.string(),
  createdAt: z.string(),
  driver: z.literal('bridge'),
  /** In CIDR notation, such as `10.89.1.0/24`. */
  subnet: z.string(),
  /** The bridge's own address. */
  gateway: z.string(),
  /** The part of the subnet that boxes get addresses of, in CIDR notation. Absent: all of it. */
  ipRange: z.string().optional(),
  /** Absent: its boxes have no IPv6. */
  ipv6: z
    .strictObject({
      /** In CIDR notation. */
      subnet: z.string(),
      gateway: z.string(),
      /** The part of the subnet that boxes get addresses of. Absent: all of it. */
      ipRange: z.string().optional(),
      /** Addresses that no box gets, by the name that the user gave each. Absent: none. */
      auxAddresses: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  /** Boxes in it reach each other alone. */
  internal: z.boolean(),
  /** A note of the client's: it means something in a swarm alone. */
  attachable: z.boolean(),
  labels: z.record(z.string(), z.string()),
  /** Options of the driver, as they were given. */
  options: z.record(z.string(), z.string()),
  asked: AskedAddresses,
  /** What its boxes may reach outside of it. Absent: what their own policies say. */
  egress: RecordedPolicy.optional(),
  /** Id of the box that all others in it are linked to. Absent: a user has defined the network. */
  links: z.string().optional(),
});
/** A network that boxes share: one bridge with one subnet of each family that it has. */
export type NetworkRecord = z.infer<typeof NetworkRecord>;

export const Endpoint = z.strictObject({
  /** 64 hexadecimal digits; another one each time that the box is attached. */
  id: z.string(),
  /** Id of the network. */
  network: z.string(),
  /** Id of the box. */
  box: z.string(),
  /** In dotted notation, without the length of a prefix. */
  address: z.string(),
  /** Bits of the subnet. */
  prefixLength: z.int().min(8).max(30),
  /** The address of the network. */
  gateway: z.string(),
  /** In a network with IPv6. */
  ipv6: z
    .strictObject({
      address: z.string(),
      prefixLength: z.int().min(8).max(126),
      gateway: z.string(),
    })
    .optional(),
  /** In lower case, with colons. */
  mac: z.string(),
  /**
   * The hardware address of the card itself, where the box sees another one than the network: of a
   * card that was led there while its box ran. Absent: the same.
   */
  cardMac: z.string().optional(),
  /** The number of the box's card, which the box calls by it: 1 is `eth1`. */
  card: z.int().min(0).default(0),
});
/** The place of one box in one network, from before its start until after its end. */
export type Endpoint = z.infer<typeof Endpoint>;

/** Whether boxes can be started in user-defined networks on this host. */
export interface UserNetworks {
  readonly available: boolean;
  /** Why not; undefined where they are available. */
  readonly reason: string | undefined;
}

/** They lead to other routes of the API than those of a network. */
const PATHS: readonly string[] = ['.', '..'];
/** Control characters would break the lines of lists and logs. */
const UNPRINTABLE = /\p{Cc}/u;
const MAX_NAME = 255;
/** What `--network` reads as a box whose network is to be shared. */
const SHARED = 'container:';

/** Names that mean something else where a box is created. */
export const PREDEFINED_NAMES: readonly string[] = ['bridge', 'default', 'host', 'none'];

/**
 * @throws A3sError `invalid-argument`, or `network-forbidden` for a predefined network, in Docker's
 * words
 */
export function checkNetworkName(name: string): void {
  if (PREDEFINED_NAMES.includes(name)) {
    throw new A3sError(
      'network-forbidden',
      `operation is not permitted on predefined ${name} network`,
      { remedy: 'Choose another name.' },
    );
  }
  if (name.trim() === '') {
    throw new A3sError('invalid-argument', 'invalid name: name is empty', {
      remedy: 'Give the network a name.',
    });
  }
  const bad = faultOf(name);
  if (bad === undefined) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot create the network ${JSON.stringify(name.slice(0, 128))}: ${bad}`,
    { remedy: 'Choose another name.' },
  );
}

/** @returns undefined for a name that a network can have */
function faultOf(name: string): string | undefined {
  if (UNPRINTABLE.test(name)) return 'a control character is in it';
  if (name.length > MAX_NAME) return `it has more than ${MAX_NAME} characters`;
  if (PATHS.includes(name)) return 'no route of the API could name it';
  if (!name.startsWith(SHARED)) return undefined;
  return `no box could name it, since ${SHARED} means the network of another box`;
}
