/**
 * PAX extended headers (POSIX.1-2017, pax): records `LENGTH KEY=VALUE\n`.
 *
 * @module
 */
import { corrupt } from '../../oci/corrupt.ts';

/** More than any header of a real archive, extended attributes included. */
export const MAX_PAX_BYTES = 1024 * 1024;

/** Keys are text, values are bytes: extended attributes hold any. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

/** @throws A3sError `invalid-image` on anything but whole records with distinct keys. */
export function parsePax(body: Buffer, what: string): PaxRecords {
  const records = new Map<string, Buffer>();
  for (let offset = 0; offset < body.length; ) {
    const space = body.indexOf(0x20, offset);
    const digits = space < 0 ? '' : body.toString('latin1', offset, Math.min(space, offset + 10));
    if (!/^[1-9][0-9]{0,8}$/.test(digits)) throw malformed(what);
    const end = offset + Number(digits);
    if (end > body.length || end <= space || body[end - 1] !== 0x0a) throw malformed(what);
    const equals = body.indexOf(0x3d, space + 1);
    if (equals <= space + 1 || equals >= end) throw malformed(what);
    const key = body.toString('latin1', space + 1, equals);
    // Readers disagree on which of two wins.
    if (records.has(key)) throw corrupt(what, `an extended header has two records ${key}`);
    records.set(key, Buffer.from(body.subarray(equals + 1, end - 1)));
    offset = end;
  }
  return records;
}

/** The text of a record, one character per byte; undefined where it is missing or empty. */
export function paxText(records: PaxRecords, key: string, what: string): string | undefined {
  const value = records.get(key);
  if (value === undefined || value.length === 0) return undefined;
  if (value.includes(0)) throw corrupt(what, `the extended header ${key} holds a NUL character`);
  return value.toString('latin1');
}

/** A number that is zero or more. */
export function paxNumber(records: PaxRecords, key: string, what: string): number | undefined {
  const value = paxText(records, key, what);
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^[0-9]{1,19}$/.test(value) || !Number.isSafeInteger(number)) {
    throw corrupt(what, `the extended header ${key} is not a number`);
  }
  return number;
}

export interface Timestamp {
  /** Since 1970; negative before. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** A decimal fraction of seconds. */
export function paxTime(records: PaxRecords, key: string, what: string): Timestamp | undefined {
  const value = paxText(records, key, what);
  if (value === undefined) return undefined;
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw corrupt(what, `the extended header ${key} is not a time`);
  const whole = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds: whole, nanoseconds };
  // -1.25 is 0.75 after -2.
  return nanoseconds === 0
    ? { seconds: -whole, nanoseconds }
    : { seconds: -whole - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

function malformed(what: string): Error {
  return corrupt(what, 'an extended header is malformed');
}
