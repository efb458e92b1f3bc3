/**
 * Reading JSON envelopes strictly.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';
import { fromBase64 } from './base64.ts';
import { duplicateKey } from './duplicate-keys.ts';

const MAX_TEXT_LENGTH = 0x10_0000;

/** A JSON object: its members by name, `__proto__` as any other. */
export type Members = ReadonlyMap<string, unknown>;

/** The refusal of one value; `path` says which. */
export function jsonMalformed(path: string, expected: string, cause?: unknown): AttestationError {
  return new AttestationError('json-malformed', `${path} must be ${expected}`, { expected, cause });
}

/**
 * The value of an envelope: text is parsed, anything else is taken for parsed JSON.
 *
 * In text no object may have two members of one name. Parsed JSON no longer shows that.
 *
 * @throws AttestationError `json-malformed` for text that is not JSON, that has a name twice, or of
 *   more than 1 MiB
 */
export function jsonValue(input: unknown): unknown {
  if (typeof input !== 'string') return input;
  if (input.length > MAX_TEXT_LENGTH) {
    throw jsonMalformed('the envelope', `at most ${MAX_TEXT_LENGTH} characters`);
  }
  const value = parse(input);
  const name = duplicateKey(input);
  if (name !== undefined) {
    throw jsonMalformed('the envelope', `JSON without a second ${quoted(name)} in an object`);
  }
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw jsonMalformed('the envelope', 'JSON', error);
  }
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

/** An object with no member but those of the given names. */
export function jsonObject(value: unknown, path: string, names: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw jsonMalformed(path, 'an object');
  }
  const members = new Map(Object.entries(value));
  for (const name of members.keys()) {
    if (!names.includes(name)) {
      throw jsonMalformed(path, `an object without ${quoted(name)}`);
    }
  }
  return members;
}

/** An array of at most so many elements. */
export function jsonArray(value: unknown, path: string, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) {
    throw jsonMalformed(path, `an array of at most ${most} elements`);
  }
  return value;
}

/** An unsigned integer of so many bytes. */
export function jsonUint(value: unknown, path: string, size: number): bigint {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw jsonMalformed(path, 'an integer that a number holds exactly');
  }
  const integer = BigInt(value);
  if (integer < 0n || integer >> BigInt(8 * size) !== 0n) {
    throw jsonMalformed(path, `an unsigned integer of ${size} bytes`);
  }
  return integer;
}

/** Hexadecimal of at most so many bytes, lower-case. */
export function jsonHex(value: unknown, path: string, most: number): Uint8Array {
  const isHex = typeof value === 'string' && /^([0-9a-f]{2})+$/.test(value);
  if (!isHex || value.length > 2 * most) {
    throw jsonMalformed(path, `hexadecimal of at most ${most} bytes`);
  }
  return Uint8Array.from({ length: value.length / 2 }, (_, index) =>
    Number.parseInt(value.slice(2 * index, 2 * index + 2), 16),
  );
}

/** Base64 of bytes. */
export function jsonBase64(value: unknown, path: string): Uint8Array {
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined;
  if (bytes === undefined) throw jsonMalformed(path, 'base64');
  return bytes;
}
