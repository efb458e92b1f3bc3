/**
 * The frames of a WebSocket (RFC 6455, section 5), as a server reads and writes them.
 *
 * @module
 */
import { ArrivingBytes, EndedEarly } from '../arriving-bytes.ts';

export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
const CONTINUATION = 0x0;
export const PING = 0x9;
export const PONG = 0xa;

/** Status of a connection that ended as it should. */
export const NORMAL = 1000;
/** Status of a connection whose client broke the protocol. */
export const PROTOCOL_ERROR = 1002;

const FINAL = 0x80;
const MASKED = 0x80;
const CONTROL = 0x8;
const MAX_CONTROL = 125;

/** One unmasked frame, which is a whole message. */
export function frameOf(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length <= MAX_CONTROL ? 2 : length <= 0xffff ? 4 : 10);
  head[0] = FINAL | opcode;
  if (length <= MAX_CONTROL) head[1] = length;
  else if (length <= 0xffff) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

export function closeFrame(status: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(status);
  return frameOf(CLOSE, payload);
}

/** The client broke the protocol. */
class Broken extends Error {}
/** What has arrived of a message. */
export interface MessagePart {
  readonly bytes: Buffer;
  /** Nothing of the message came before. */
  readonly first: boolean;
}

/**
 * The messages that a client sends, until it closes. Yields what has arrived of a message without
 * waiting for its end, and one empty part of a message that is empty.
 *
 * @param reply sends a frame to the client: answers to its pings, and the closing frame
 */
export async function* messageParts(
  input: AsyncIterable<Uint8Array>,
  reply: (frame: Buffer) => void,
): AsyncGenerator<MessagePart> {
  const bytes = new ArrivingBytes(input);
  let open = false;
  /** Whether nothing of the present message was yielded. */
  let first = true;
  try {
    for (;;) {
      const { opcode, final, length, mask } = await header(bytes);
      if (opcode >= CONTROL) {
        if (!final || length > MAX_CONTROL) throw new Broken();
        const payload = unmask(await bytes.exactly(length), mask, 0);
        if (opcode === CLOSE) return reply(closeFrame(NORMAL));
        if (opcode === PING) reply(frameOf(PONG, payload));
        else if (opcode !== PONG) throw new Broken();
        continue;
      }
      if (opcode > BINARY || (opcode === CONTINUATION) !== open) throw new Broken();
      if (!open) first = true;
      open = !final;
      for (let at = 0; at < length; ) {
        const part = await bytes.upTo(length - at);
        yield { bytes: unmask(part, mask, at), first };
        first = false;
        at += part.length;
      }
      if (final && first) yield { bytes: Buffer.alloc(0), first };
    }
  } catch (error) {
    if (error instanceof Broken) reply(closeFrame(PROTOCOL_ERROR));
    else if (!(error instanceof EndedEarly)) throw error;
  }
}

/**
 * The bytes of the messages that a client sends, where it means nothing where one ends and the next
 * begins.
 *
 * @param reply as for `messageParts`
 */
export async function* messageBytes(
  input: AsyncIterable<Uint8Array>,
  reply: (frame: Buffer) => void,
): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of messageParts(input, reply)) if (bytes.length > 0) yield bytes;
}

interface Header {
  readonly opcode: number;
  readonly final: boolean;
  readonly length: number;
  readonly mask: Buffer;
}

async function header(bytes: ArrivingBytes): Promise<Header> {
  const head = await bytes.exactly(2);
  const [first, second] = [head.readUInt8(0), head.readUInt8(1)];
  // No extension was agreed on, and a client has to mask what it sends.
  if ((first & 0x70) !== 0 || (second & MASKED) === 0) throw new Broken();
  const length = await lengthOf(bytes, second & 0x7f);
  return {
    opcode: first & 0x0f,
    final: (first & FINAL) !== 0,
    length,
    mask: await bytes.exactly(4),
  };
}

async function lengthOf(bytes: ArrivingBytes, short: number): Promise<number> {
  if (short <= MAX_CONTROL) return short;
  if (short === 126) return (await bytes.exactly(2)).readUInt16BE();
  const long = (await bytes.exactly(8)).readBigUInt64BE();
  if (long > BigInt(Number.MAX_SAFE_INTEGER)) throw new Broken();
  return Number(long);
}

/** @param at offset of the bytes in their frame's payload */
function unmask(bytes: Buffer, mask: Buffer, at: number): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[(at + index) % 4] ?? 0)));
}
