/**
 * The name in the first message of a TLS client (RFC 8446, section 4.1.2; RFC 6066, section 3).
 *
 * @module
 */
import { hostName } from '@a3s-box/policies/network-policy';

/** A first message may be this long; browsers send 2 KiB. */
export const MAX_HELLO = 16 * 1024;

/** More bytes are needed; or the name; or why there is none that can be checked. */
export type Peeked =
  | { readonly state: 'more' }
  | { readonly state: 'name'; readonly name: string }
  | { readonly state: 'refused'; readonly why: string };

const RECORD_HEADER = 5;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** Clients use one, or a few where the message is cut on purpose. */
const MAX_RECORDS = 64;
const MAX_RECORD = 16 * 1024;
const SERVER_NAME = 0;
const ENCRYPTED_CLIENT_HELLO = 0xfe0d;

/** Reads what a client has sent so far. */
export function peekClientHello(bytes: Buffer): Peeked {
  const hello = joinRecords(bytes);
  if (typeof hello === 'string') return refused(hello);
  if (hello === undefined) return tooLongOrMore(bytes);
  try {
    return readHello(new Reader(hello));
  } catch (error) {
    if (error instanceof Malformed) return refused('its first message of TLS is malformed');
    throw error;
  }
}

function tooLongOrMore(bytes: Buffer): Peeked {
  if (bytes.length < MAX_HELLO) return { state: 'more' };
  return refused(`its first message of TLS is longer than ${MAX_HELLO} bytes`);
}

/** The message without the records that carry it; undefined: more bytes are needed. */
function joinRecords(bytes: Buffer): Buffer | string | undefined {
  const parts: Buffer[] = [];
  let have = 0;
  let at = 0;
  for (;;) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return 'it does not speak TLS';
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) return 'it does not speak TLS';
    if (bytes.length < at + RECORD_HEADER) return undefined;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD) return 'its first message of TLS is malformed';
    const part = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    parts.push(part);
    if (parts.length > MAX_RECORDS) return 'its first message of TLS is in too many records';
    have += part.length;
    const joined = have >= 4 ? Buffer.concat(parts) : undefined;
    if (joined !== undefined) {
      if (joined[0] !== CLIENT_HELLO) return 'its first message of TLS is malformed';
      const whole = 4 + joined.readUIntBE(1, 3);
      if (whole > MAX_HELLO) return `its first message of TLS is longer than ${MAX_HELLO} bytes`;
      if (joined.length >= whole) return joined.subarray(4, whole);
    }
    if (part.length < length) return undefined;
    at += RECORD_HEADER + length;
  }
}

function readHello(hello: Reader): Peeked {
  hello.take(2 + 32);
  hello.vector(1);
  hello.vector(2);
  hello.vector(1);
  if (hello.left === 0) return refused('it names no server');
  const extensions = new Reader(hello.vector(2));
  if (hello.left > 0) throw new Malformed();
  const seen = new Set<number>();
  let name: string | undefined;
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (seen.has(type)) throw new Malformed();
    seen.add(type);
    if (type === SERVER_NAME) name = readServerName(new Reader(data));
  }
  // With ECH (RFC 9849) the real server name is encrypted, and only the server can read it.
  if (seen.has(ENCRYPTED_CLIENT_HELLO)) return refused('it hides the name of the server (ECH)');
  if (!seen.has(SERVER_NAME)) return refused('it names no server');
  return name === undefined
    ? refused('it names no server by a host name')
    : { state: 'name', name };
}

function readServerName(extension: Reader): string | undefined {
  const list = new Reader(extension.vector(2));
  if (extension.left > 0) throw new Malformed();
  const type = list.number(1);
  const text = list.vector(2).toString('latin1');
  // Servers differ in which of several they take.
  if (list.left > 0 || type !== 0 || text.endsWith('.')) return undefined;
  return hostName(text);
}

function refused(why: string): Peeked {
  return { state: 'refused', why };
}

class Malformed extends Error {}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(count: number): Buffer {
    if (this.left < count) throw new Malformed();
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  number(bytes: 1 | 2): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  /** Bytes behind their number, which takes 1 or 2 bytes. */
  vector(bytes: 1 | 2): Buffer {
    return this.take(this.number(bytes));
  }
}
