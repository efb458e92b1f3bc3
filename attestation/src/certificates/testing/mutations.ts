/**
 * Mutations that an attacker could make of a certificate.
 *
 * @module
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { concat } from '../../der/bytes.ts';
import { AttestationError } from '../../errors.ts';
import { toHex } from '../../hex.ts';

/** Every copy with one bit, or all bits of one byte, flipped. */
export function* flips(bytes: Uint8Array): Generator<Uint8Array> {
  for (const [index, byte] of bytes.entries()) {
    for (const mask of [0x01, 0x10, 0x80, 0xff]) {
      const changed = Uint8Array.from(bytes);
      changed[index] = byte ^ mask;
      yield changed;
    }
  }
}

/** Every copy that ends too early, and one that ends too late. */
export function* cuts(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length += 1) yield bytes.subarray(0, length);
  yield concat([bytes, Uint8Array.of(0)]);
}

/** Copies with up to four spans replaced by other bytes. */
export function mutations(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    start: fc.nat(bytes.length),
    removed: fc.nat(4),
    inserted: fc.uint8Array({ maxLength: 4 }),
  });
  return fc
    .array(edit, { maxLength: 4 })
    .map((edits) =>
      edits.reduce(
        (changed: Uint8Array, { start, removed, inserted }) =>
          concat([changed.subarray(0, start), inserted, changed.subarray(start + removed)]),
        bytes,
      ),
    );
}

/**
 * The outcome of a parse: its result as text that begins with a brace, or the code of its refusal.
 */
export function outcome(parse: () => object): string {
  try {
    return JSON.stringify(parse(), (_, entry) => {
      if (entry instanceof Uint8Array) return toHex(entry);
      if (entry instanceof Map) return [...entry];
      return typeof entry === 'bigint' ? entry.toString() : entry;
    });
  } catch (error) {
    expect(error).toBeInstanceOf(AttestationError);
    return (error as AttestationError).code;
  }
}
