/**
 * Reading the fields of a report.
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

/** Whether there is nothing but zeros. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** As the ABI prints a bit field. */
export function hexNumber(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
