/**
 * Protocol buffers, as far as the relay looks into messages of BuildKit: it reads the fields that
 * it knows, and keeps all others as they came.
 *
 * @module
 */

/** Wire types. Groups are not part of proto3. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A varint has at most ten bytes. */
const MAX_VARINT_BYTES = 10;

export interface Field {
  readonly number: number;
  /** The bytes of a string, of bytes or of a message; undefined for a number. */
  readonly content: Buffer | undefined;
  /** The whole field, encoded. */
  readonly encoded: Buffer;
}

/** The bytes are no message. */
export class ProtobufError extends Error {}

/** @throws ProtobufError */
export function readFields(message: Buffer): readonly Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < message.length; ) {
    const start = at;
    const tag = readVarint(message, at);
    at = tag.end;
    const number = Number(tag.value >> 3n);
    const type = Number(tag.value & 7n);
    let content: Buffer | undefined;
    if (type === VARINT) at = readVarint(message, at).end;
    else if (type === FIXED64) at += 8;
    else if (type === FIXED32) at += 4;
    else if (type === BYTES) {
      const length = readVarint(message, at);
      at = length.end + Number(length.value);
      if (at <= message.length) content = message.subarray(length.end, at);
    } else throw new ProtobufError(`a field has the wire type ${type}`);
    if (at > message.length) throw new ProtobufError('a field goes beyond the end of its message');
    fields.push({ number, content, encoded: message.subarray(start, at) });
  }
  return fields;
}

/** The texts of a field, in their order. */
export function textsOf(fields: readonly Field[], number: number): readonly string[] {
  return fields.flatMap((field) =>
    field.number === number && field.content !== undefined ? [field.content.toString()] : [],
  );
}

/** A `map<string, string>`: each entry is a message of its key and its value. */
export function mapOf(fields: readonly Field[], number: number): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const field of fields) {
    if (field.number !== number || field.content === undefined) continue;
    const [key, value] = entryOf(field.content);
    map.set(key, value);
  }
  return map;
}

/** The field of a message, a text or bytes. */
export function bytesField(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(number * 8 + BYTES), varint(bytes.length), bytes]);
}

/** One entry of a `map<string, string>`. */
export function mapEntry(number: number, key: string, value: string): Buffer {
  return bytesField(number, Buffer.concat([bytesField(1, key), bytesField(2, value)]));
}

function entryOf(content: Buffer): readonly [string, string] {
  const fields = readFields(content);
  return [textsOf(fields, 1).at(-1) ?? '', textsOf(fields, 2).at(-1) ?? ''];
}

function readVarint(bytes: Buffer, start: number): { value: bigint; end: number } {
  let value = 0n;
  for (let at = start; at < start + MAX_VARINT_BYTES; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) throw new ProtobufError('a number is cut off');
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw new ProtobufError(`a number has more than ${MAX_VARINT_BYTES} bytes`);
}

function varint(number: number): Buffer {
  const bytes: number[] = [];
  let rest = number;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
