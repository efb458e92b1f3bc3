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

/** A varint has at most ten bytes, and the tenth has one bit of its 64. */
const MAX_VARINT_BYTES = 10;
/** Field numbers have 29 bits, with which a tag has 32. Go cuts what is above them off. */
const MAX_TAG = 2 ** 32 - 1;
/** BuildKit's clients come nowhere near. Each field costs far more memory than its two bytes. */
const MAX_FIELDS = 10_000;
const MAX_ENTRIES = 1000;
/** Key and value. */
const ENTRY_FIELDS = 2;

export interface Field {
  readonly number: number;
  /** The bytes of a string, of bytes or of a message; undefined for a number. */
  readonly content: Buffer | undefined;
  /** The whole field, encoded. */
  readonly encoded: Buffer;
}

/** The bytes are no message, or one that its receiver could read in another way. */
export class ProtobufError extends Error {}

/** @throws ProtobufError also for more fields than a bound */
export function readFields(message: Buffer, maxFields = MAX_FIELDS): readonly Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < message.length; ) {
    const start = at;
    const tag = readVarint(message, at);
    at = tag.end;
    const number = Math.floor(tag.value / 8);
    const type = tag.value % 8;
    if (tag.value > MAX_TAG || number === 0) {
      throw new ProtobufError('a field has a number that no field has');
    }
    let content: Buffer | undefined;
    if (type === VARINT) at = readVarint(message, at).end;
    else if (type === FIXED64) at += 8;
    else if (type === FIXED32) at += 4;
    else if (type === BYTES) {
      const length = readVarint(message, at);
      at = length.end + length.value;
      if (at <= message.length) content = message.subarray(length.end, at);
    } else throw new ProtobufError(`a field has the wire type ${type}`);
    if (at > message.length) throw new ProtobufError('a field goes beyond the end of its message');
    if (fields.length === maxFields) {
      throw new ProtobufError(`a message has more than ${maxFields} fields`);
    }
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

/** The text of a field that is none of a list: the last one counts. Empty where there is none. */
export function textOf(fields: readonly Field[], number: number): string {
  return textsOf(fields, number).at(-1) ?? '';
}

/**
 * A `map<string, string>`: each entry is a message of its key and its value.
 *
 * @throws ProtobufError
 */
export function mapOf(fields: readonly Field[], number: number): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  let entries = 0;
  for (const field of fields) {
    if (field.number !== number || field.content === undefined) continue;
    const [key, value] = entryOf(field.content);
    map.set(key, value);
    entries += 1;
    if (entries > MAX_ENTRIES)
      throw new ProtobufError(`a map has more than ${MAX_ENTRIES} entries`);
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

/**
 * Key and value of an entry. BuildKit's code reads an entry without a look at the wire types in it,
 * so one that has anything but one key and one value is refused.
 *
 * @throws ProtobufError
 */
export function entryOf(content: Buffer): readonly [string, string] {
  const fields = readFields(content, ENTRY_FIELDS);
  const texts = ['', ''];
  const seen = new Set<number>();
  for (const { number, content } of fields) {
    if ((number !== 1 && number !== 2) || content === undefined || seen.has(number)) {
      throw new ProtobufError('an entry of a map has more than a key and a value');
    }
    seen.add(number);
    texts[number - 1] = content.toString();
  }
  const [key = '', value = ''] = texts;
  return [key, value];
}

/** A value above 2^53 is not exact, and is beyond every bound. */
function readVarint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  let weight = 1;
  for (let at = start; at < start + MAX_VARINT_BYTES; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) throw new ProtobufError('a number is cut off');
    if (at === start + MAX_VARINT_BYTES - 1 && byte > 1) break;
    value += (byte & 0x7f) * weight;
    if (byte < 0x80) return { value, end: at + 1 };
    weight *= 0x80;
  }
  throw new ProtobufError('a number has more than 64 bits');
}

function varint(number: number): Buffer {
  const bytes: number[] = [];
  let rest = number;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
