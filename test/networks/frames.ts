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

export interface Icmp6 {
  readonly type: number;
  readonly from: string;
  readonly to: string;
  /** The address that a message of neighbours is about. */
  readonly about?: string;
  readonly mac: string;
  readonly toMac: string;
}

/** A message whose checksum and hop limit are right. */
export function icmp6Frame({ type, from, to, about = from, mac, toMac }: Icmp6): Buffer {
  const [source, target] = [address(from), address(to)];
  const message = Buffer.concat([
    Buffer.from([
      type,
      0,
      0,
      0,
      ...(type === OF_NEIGHBOURS.routerAdvertisement ? [64, 0, 7, 8] : [0x60, 0, 0, 0]),
    ]),
    ...(type === OF_NEIGHBOURS.routerAdvertisement ? [Buffer.alloc(8)] : [address(about)]),
    ...(type === OF_NEIGHBOURS.redirect ? [target] : []),
    // The sender's hardware address, or that of the target.
    Buffer.from([type === OF_NEIGHBOURS.neighbourAdvertisement ? 2 : 1, 1, ...hardware(FORGED)]),
  ]);
  const pseudo = Buffer.concat([
    source,
    target,
    Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58]),
  ]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), 2);
  const head = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255]);
  const ethernet = Buffer.from([...hardware(toMac), ...hardware(mac), 0x86, 0xdd]);
  return Buffer.concat([ethernet, head, source, target, message]);
}

/** @returns sender and type of a message of ICMPv6; undefined for any other frame */
export function readIcmp6(frame: Buffer): { from: string; type: number } | undefined {
  if (frame.readUInt16BE(12) !== 0x86dd || frame[20] !== 58) return undefined;
  return { from: frame.toString('hex', 22, 38), type: frame[54] ?? 0 };
}

export function address(text: string): Buffer {
  const digits = (parseAddress6(text) ?? 0n).toString(16).padStart(32, '0');
  return Buffer.from(digits, 'hex');
}

function hardware(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
