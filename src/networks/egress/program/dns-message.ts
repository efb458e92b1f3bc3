/**
 * Messages of DNS (RFC 1035), as far as a proxy needs them that answers for addresses alone.
 *
 * What a guest sends is read strictly, and nothing of it is passed on: questions and answers are
 * written anew.
 *
 * @module
 */
import type { Address } from '../../address.ts';

export const TYPE = { A: 1, CNAME: 5, AAAA: 28, OPT: 41 } as const;
export const RCODE = {
  ok: 0,
  malformed: 1,
  failed: 2,
  noName: 3,
  notImplemented: 4,
  refused: 5,
} as const;
/** The longest that is read and written without TCP. */
export const MAX_DATAGRAM = 4096;
/** Addresses in an answer, so that every answer fits into 512 bytes. */
export const MAX_ADDRESSES = { [TYPE.A]: 12, [TYPE.AAAA]: 8 } as const;
/** The types of addresses: RFC 1035, 3596. */
export type AddressType = typeof TYPE.A | typeof TYPE.AAAA;

const CLASS_IN = 1;
const HEADER = 12;
const MAX_NAME = 255;
const MAX_LABEL = 63;
const MAX_RECORDS = 256;
const MAX_CHAIN = 16;
const FLAGS = {
  answer: 0x8000,
  opcode: 0x7800,
  truncated: 0x0200,
  wanted: 0x0100,
  available: 0x0080,
};

/** A question for one name. */
export interface Query {
  readonly id: number;
  readonly recursionWanted: boolean;
  /** As it came, since clients compare its letters. */
  readonly question: Buffer;
  /** Undefined: the name has bytes that no host name has. */
  readonly name: string | undefined;
  readonly type: number;
  readonly isInternet: boolean;
}

/** What can be answered to a message that is no such question. Undefined: nothing. */
export type ReadQuery = { query: Query } | { query?: never; reply: Buffer | undefined };

/** Reads a message of a guest. Never throws. */
export function readQuery(message: Buffer): ReadQuery {
  if (message.length < HEADER) return { reply: undefined };
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  // An answer to an answer would go on for ever.
  if ((flags & FLAGS.answer) !== 0) return { reply: undefined };
  const fail = (rcode: number) => ({ reply: header(id, flags & FLAGS.wanted, rcode, [0, 0]) });
  if ((flags & FLAGS.opcode) !== 0) return fail(RCODE.notImplemented);
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) =>
    message.readUInt16BE(at),
  ) as [number, number, number, number];
  if (questions !== 1 || answers + authorities > 0 || additional > 1) return fail(RCODE.malformed);
  const name = readName(message, HEADER, false);
  if (name === undefined || name.end + 4 > message.length) return fail(RCODE.malformed);
  const end = name.end + 4;
  if (additional === 0 ? end !== message.length : !isOption(message.subarray(end))) {
    return fail(RCODE.malformed);
  }
  return {
    query: {
      ...{ id, recursionWanted: (flags & FLAGS.wanted) !== 0 },
      question: Buffer.from(message.subarray(HEADER, end)),
      name: name.text,
      type: message.readUInt16BE(name.end),
      isInternet: message.readUInt16BE(name.end + 2) === CLASS_IN,
    },
  };
}

/** A record of EDNS and nothing behind it. Its options change nothing here. */
function isOption(rest: Buffer): boolean {
  if (rest.length < 11 || rest[0] !== 0 || rest.readUInt16BE(1) !== TYPE.OPT) return false;
  return rest.length === 11 + rest.readUInt16BE(9);
}

/** Writes the answer to a question: addresses of the name itself, or none. */
export function writeReply(
  { id, recursionWanted, question }: Query,
  rcode: number,
  addresses: readonly Address[] = [],
  ttl = 0,
): Buffer {
  const type = typeof addresses[0] === 'bigint' ? TYPE.AAAA : TYPE.A;
  const given = addresses.slice(0, MAX_ADDRESSES[type]);
  const records = given.map((address) => {
    const data = addressBytes(address);
    const record = Buffer.alloc(12);
    // A pointer to the name of the question.
    record.writeUInt16BE(0xc000 | HEADER, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt32BE(ttl, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  const wanted = recursionWanted ? FLAGS.wanted : 0;
  return Buffer.concat([header(id, wanted, rcode, [1, given.length]), question, ...records]);
}

function header(
  id: number,
  wanted: number,
  rcode: number,
  counts: readonly [number, number],
): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(FLAGS.answer | FLAGS.available | wanted | rcode, 2);
  bytes.writeUInt16BE(counts[0], 4);
  bytes.writeUInt16BE(counts[1], 6);
  return bytes;
}

/** An address as packets have it. */
export function addressBytes(address: Address): Buffer {
  if (typeof address === 'bigint')
    return Buffer.from(address.toString(16).padStart(32, '0'), 'hex');
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return bytes;
}

function readAddressBytes(bytes: Buffer): Address {
  return bytes.length === 4 ? bytes.readUInt32BE() : BigInt(`0x${bytes.toString('hex')}`);
}

/** Writes a question for the addresses of a host name. */
export function writeQuestion(id: number, name: string, type: AddressType): Buffer {
  const head = Buffer.alloc(HEADER);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(FLAGS.wanted, 2);
  head.writeUInt16BE(1, 4);
  const labels = name
    .split('.')
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, type, 0, CLASS_IN])]);
}

/** What a server says of a name. */
export interface Answer {
  readonly rcode: number;
  /** It has to be asked again over TCP. */
  readonly truncated: boolean;
  readonly addresses: readonly Address[];
  /** The shortest of all records that lead to the addresses, in seconds. */
  readonly ttl: number;
}

/**
 * Reads the answer to a question for a name. Aliases are followed from the name that was asked for;
 * records of other names are not looked at.
 *
 * @returns undefined for what is no answer to it
 */
export function readAnswer(
  message: Buffer,
  { id, asked, type }: { id: number; asked: string; type: AddressType },
): Answer | undefined {
  if (message.length < HEADER || message.readUInt16BE(0) !== id) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & (FLAGS.answer | FLAGS.opcode)) !== FLAGS.answer) return undefined;
  const count = message.readUInt16BE(6);
  if (message.readUInt16BE(4) !== 1 || count > MAX_RECORDS) return undefined;
  const question = readName(message, HEADER, false);
  if (question?.text !== asked || question.end + 4 > message.length) return undefined;
  if (message.readUInt16BE(question.end) !== type) return undefined;
  const rcode = flags & 0xf;
  if ((flags & FLAGS.truncated) !== 0) return { rcode, truncated: true, addresses: [], ttl: 0 };
  const records = readRecords(message, { start: question.end + 4, count, wanted: type });
  return records === undefined ? undefined : { rcode, truncated: false, ...follow(records, asked) };
}

interface Records {
  readonly aliases: Map<string, { target: string; ttl: number }>;
  readonly addresses: Map<string, { address: Address; ttl: number }[]>;
}

function readRecords(
  message: Buffer,
  { start, count, wanted }: { start: number; count: number; wanted: AddressType },
): Records | undefined {
  const found: Records = { aliases: new Map(), addresses: new Map() };
  let at = start;
  for (let left = count; left > 0; left -= 1) {
    const owner = readName(message, at, true);
    if (owner === undefined || owner.end + 10 > message.length) return undefined;
    const [type, kind] = [message.readUInt16BE(owner.end), message.readUInt16BE(owner.end + 2)];
    // RFC 2181, section 8: a number with the highest bit means none.
    const stated = message.readUInt32BE(owner.end + 4);
    const ttl = stated > 0x7fff_ffff ? 0 : stated;
    const data = owner.end + 10;
    at = data + message.readUInt16BE(owner.end + 8);
    if (at > message.length) return undefined;
    if (kind !== CLASS_IN || owner.text === undefined) continue;
    if (type === wanted) {
      if (at - data !== (wanted === TYPE.A ? 4 : 16)) return undefined;
      const list = found.addresses.get(owner.text) ?? [];
      list.push({ address: readAddressBytes(message.subarray(data, at)), ttl });
      found.addresses.set(owner.text, list);
    } else if (type === TYPE.CNAME) {
      const target = readName(message, data, true);
      if (target?.text === undefined || target.end !== at) return undefined;
      found.aliases.set(owner.text, { target: target.text, ttl });
    }
  }
  return found;
}

function follow({ aliases, addresses }: Records, asked: string): Pick<Answer, 'addresses' | 'ttl'> {
  let name = asked;
  let ttl = 0x7fff_ffff;
  for (let steps = 0; steps <= MAX_CHAIN; steps += 1) {
    const found = addresses.get(name);
    if (found !== undefined) {
      const shortest = Math.min(ttl, ...found.map((each) => each.ttl));
      return { addresses: [...new Set(found.map(({ address }) => address))], ttl: shortest };
    }
    const alias = aliases.get(name);
    if (alias === undefined) break;
    ttl = Math.min(ttl, alias.ttl);
    name = alias.target;
  }
  return { addresses: [], ttl: 0 };
}

/**
 * Reads a name. A pointer leads to what is before it, so that no chain of them has a loop.
 *
 * @returns where it ends; its text in lower case, or undefined where it has other bytes than those
 * of host names
 */
function readName(
  message: Buffer,
  start: number,
  mayPoint: boolean,
): { text: string | undefined; end: number } | undefined {
  const labels: string[] = [];
  let [at, limit, length] = [start, start, 1];
  let end: number | undefined;
  for (;;) {
    const size = message[at];
    if (size === undefined) return undefined;
    if (size >= 0xc0) {
      const low = message[at + 1];
      if (!mayPoint || low === undefined) return undefined;
      end ??= at + 2;
      const to = ((size & 0x3f) << 8) | low;
      if (to >= limit || to < HEADER) return undefined;
      [at, limit] = [to, to];
      continue;
    }
    if (size > MAX_LABEL) return undefined;
    at += 1;
    if (size === 0) break;
    length += size + 1;
    if (length > MAX_NAME || at + size > message.length) return undefined;
    labels.push(message.toString('latin1', at, at + size).toLowerCase());
    at += size;
  }
  const plain = labels.every((label) => /^[a-z0-9_-]+$/.test(label));
  return { text: plain && labels.length > 0 ? labels.join('.') : undefined, end: end ?? at };
}
