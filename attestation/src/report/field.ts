/**
 * Reading and writing the fields of a report.
 *
 * @module
 */
import { toHex } from '../hex.ts';
import type { Field } from './layout.ts';

function viewOf(report: Uint8Array): DataView {
  return new DataView(report.buffer, report.byteOffset, report.byteLength);
}

/** A view of the field's bytes. */
export function fieldBytes(report: Uint8Array, field: Field): Uint8Array {
  return report.subarray(field.offset, field.offset + field.size);
}

/** The field's bytes, lower-case hexadecimal. */
export function fieldHex(report: Uint8Array, field: Field): string {
  return toHex(fieldBytes(report, field));
}

/** A field of one byte. */
export function fieldUint8(report: Uint8Array, field: Field): number {
  return viewOf(report).getUint8(field.offset);
}

/** A field of four bytes. */
export function fieldUint32(report: Uint8Array, field: Field): number {
  return viewOf(report).getUint32(field.offset, true);
}

/** A field of eight bytes. */
export function fieldUint64(report: Uint8Array, field: Field): bigint {
  return viewOf(report).getBigUint64(field.offset, true);
}

/**
 * Writes an unsigned integer, little-endian.
 *
 * @throws RangeError for one that does not fit
 */
export function setFieldUint(report: Uint8Array, field: Field, value: number | bigint): void {
  const integer = BigInt(value);
  if (integer < 0n || integer >> BigInt(8 * field.size) !== 0n) {
    throw new RangeError(
      `the field at ${hexNumber(field.offset)} takes an unsigned integer of ${field.size} bytes`,
    );
  }
  let rest = integer;
  for (let index = 0; index < field.size; index++, rest >>= 8n) {
    report[field.offset + index] = Number(rest & 0xffn);
  }
}

/** Whether there is nothing but zeros. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** As the ABI prints a bit field. */
export function hexNumber(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
