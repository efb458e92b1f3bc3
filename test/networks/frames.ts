/**
 * Ethernet frames that no kernel would send.
 *
 * @module
 */
import { parseAddress6 } from '../../src/networks/ipv6.ts';

/** Types of ICMPv6: RFC 4443, 4861. */
export const ECHO = 128;
export const OF_NEIGHBOURS = {
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
} as const;

/** The hardware address that forged messages of neighbours are about. */
export const FORGED = '66:66:66:66:66:66';

/** Protocols of IPv6. */
const UDP = 17;
const ICMP6 = 58;

interface Route {
  readonly from: string;
  readonly to: string;
  readonly mac: string;
  readonly toMac: string;
}

export interface Icmp6 extends Route {
  readonly type: number;
  /** The address that a message of neighbours is about. */
  readonly about?: string;
}

/** A message whose checksum and hop limit are right. */
export function icmp6Frame({ type, from, to, about = from, mac, toMac }: Icmp6): Buffer {
  const message = Buffer.concat([
    Buffer.from([
      type,
      0,
      0,
      0,
      ...(type === OF_NEIGHBOURS.routerAdvertisement ? [64, 0, 7, 8] : [0x60, 0, 0, 0]),
    ]),
    ...(type === OF_NEIGHBOURS.routerAdvertisement ? [Buffer.alloc(8)] : [address(about)]),
    ...(type === OF_NEIGHBOURS.redirect ? [address(to)] : []),
    // The sender's hardware address, or that of the target.
    Buffer.from([type === OF_NEIGHBOURS.neighbourAdvertisement ? 2 : 1, 1, ...hardware(FORGED)]),
  ]);
  return ip6Frame(ICMP6, 2, message, { from, to, mac, toMac });
}

/** Operations of ARP. */
export const ARP = { request: 1, answer: 2 } as const;

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

export interface Arp {
  readonly operation: number;
  /** What it says of the sender. */
  readonly sender: { readonly mac: string; readonly address: string };
  /** The address that it is about. */
  readonly target: string;
  /** Of the frame. */
  readonly mac: string;
  readonly toMac: string;
}

export function arpFrame({ operation, sender, target, mac, toMac }: Arp): Buffer {
  return Buffer.concat([
    Buffer.from([...hardware(toMac), ...hardware(mac), 0x08, 0x06]),
    Buffer.from([0, 1, 8, 0, 6, 4, 0, operation]),
    Buffer.from([...hardware(sender.mac), ...ipv4(sender.address)]),
    Buffer.from([...hardware(toMac === BROADCAST ? '0:0:0:0:0:0' : toMac), ...ipv4(target)]),
  ]);
}

/** A datagram of IPv4 without a checksum of its own, which need not have one. */
export function udp4Frame(
  ports: { readonly from: number; readonly to: number },
  { from, to, mac, toMac }: Route,
  content: Buffer = Buffer.from([1]),
): Buffer {
  const message = Buffer.alloc(8);
  message.writeUInt16BE(ports.from, 0);
  message.writeUInt16BE(ports.to, 2);
  message.writeUInt16BE(8 + content.length, 4);
  const head = Buffer.from([
    ...[0x45, 0, 0, 28 + content.length, 0, 0, 0, 0, 64, UDP, 0, 0],
    ...[...ipv4(from), ...ipv4(to)],
  ]);
  head.writeUInt16BE(checksum(head), 10);
  const ethernet = Buffer.from([...hardware(toMac), ...hardware(mac), 0x08, 0x00]);
  return Buffer.concat([ethernet, head, message, content]);
}

/** @returns sender and ports of a datagram of IPv4; undefined for any other frame */
export function readUdp4(frame: Buffer): { from: string; ports: string } | undefined {
  if (frame.readUInt16BE(12) !== 0x0800 || frame[23] !== UDP) return undefined;
  const from = [...frame.subarray(26, 30)].join('.');
  return { from, ports: `${frame.readUInt16BE(34)} ${frame.readUInt16BE(36)}` };
}

/** A datagram whose checksum is right. */
export function udp6Frame(port: number, route: Route): Buffer {
  const message = Buffer.from([0x80, 0, port >> 8, port & 255, 0, 9, 0, 0, 1]);
  return ip6Frame(UDP, 6, message, route);
}

/** @param checksumAt where the message has its checksum */
function ip6Frame(
  protocol: number,
  checksumAt: number,
  message: Buffer,
  { from, to, mac, toMac }: Route,
): Buffer {
  const ends = Buffer.concat([address(from), address(to)]);
  const pseudo = Buffer.concat([ends, Buffer.from([0, 0, 0, message.length, 0, 0, 0, protocol])]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), checksumAt);
  const head = Buffer.from([0x60, 0, 0, 0, 0, message.length, protocol, 255]);
  const ethernet = Buffer.from([...hardware(toMac), ...hardware(mac), 0x86, 0xdd]);
  return Buffer.concat([ethernet, head, ends, message]);
}

/** @returns sender and type of a message of ICMPv6; undefined for any other frame */
export function readIcmp6(frame: Buffer): { from: string; type: number } | undefined {
  if (frame.readUInt16BE(12) !== 0x86dd || frame[20] !== ICMP6) return undefined;
  return { from: frame.toString('hex', 22, 38), type: frame[54] ?? 0 };
}

export function address(text: string): Buffer {
  const digits = (parseAddress6(text) ?? 0n).toString(16).padStart(32, '0');
  return Buffer.from(digits, 'hex');
}

function hardware(text: string): Buffer {
  return Buffer.from(text.split(':').map((byte) => Number.parseInt(byte, 16)));
}

function ipv4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (const [at, byte] of bytes.entries()) sum += at % 2 === 0 ? byte << 8 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
