/**
 * Bytes of DNS messages, for tests.
 *
 * @module
 */
import { formatAnyAddress, parseAnyAddress } from '../../address.ts';
import { addressBytes } from '../program/dns-message.ts';

/** A question, as a guest sends it. */
export function question(
  name: string,
  { type = 1, id = 7, flags = 0x0100, more = '' } = {},
): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(more === '' ? 0 : 1, 10);
  return Buffer.concat([head, nameBytes(name), uint16(type), uint16(1), Buffer.from(more, 'hex')]);
}

export type TestRecord =
  | { readonly owner: string; readonly a: string; readonly ttl?: number }
  | { readonly owner: string; readonly alias: string; readonly ttl?: number };

/** What a server answers to a question of ours. */
export function reply(
  asked: Buffer,
  records: readonly TestRecord[],
  { rcode = 0, truncated = false, count = records.length } = {},
): Buffer {
  const head = Buffer.from(asked.subarray(0, 12));
  head.writeUInt16BE(0x8180 | rcode | (truncated ? 0x0200 : 0), 2);
  head.writeUInt16BE(count, 6);
  head.writeUInt16BE(0, 10);
  const end = asked.indexOf(0, 12) + 5;
  return Buffer.concat([head, asked.subarray(12, end), ...records.map(recordBytes)]);
}

export function recordBytes(record: TestRecord): Buffer {
  const data = 'a' in record ? addressData(record.a) : nameBytes(record.alias);
  const ttl = Buffer.alloc(4);
  ttl.writeUInt32BE(record.ttl ?? 60);
  const type = 'alias' in record ? 5 : record.a.includes(':') ? 28 : 1;
  return Buffer.concat([
    ...[nameBytes(record.owner), uint16(type), uint16(1), ttl, uint16(data.length), data],
  ]);
}

function addressData(text: string): Buffer {
  return addressBytes(parseAnyAddress(text) ?? 0);
}

export function nameBytes(name: string): Buffer {
  const labels = name
    .split('.')
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

/** The code of an answer, its addresses and their time. */
export interface ReadReply {
  readonly rcode: number;
  readonly addresses: readonly string[];
  readonly ttl: number;
}

/** Reads an answer of the proxy for names. */
export function readReply(message: Buffer): ReadReply {
  const count = message.readUInt16BE(6);
  const addresses: string[] = [];
  let ttl = 0;
  for (let at = message.indexOf(0, 12) + 5; addresses.length < count; ) {
    // Behind the owner, which is a pointer or ends with an empty label.
    const head = (message[at] ?? 0) >= 0xc0 ? at + 2 : message.indexOf(0, at) + 1;
    if (addresses.length === 0) ttl = message.readUInt32BE(head + 4);
    const end = head + 10 + message.readUInt16BE(head + 8);
    const data = message.subarray(head + 10, end);
    const address = data.length === 4 ? data.readUInt32BE() : BigInt(`0x${data.toString('hex')}`);
    addresses.push(formatAnyAddress(address));
    at = end;
  }
  return { rcode: message.readUInt16BE(2) & 15, addresses, ttl };
}
