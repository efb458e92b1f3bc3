/**
 * Times of certificates (RFC 5280, 4.1.2.5): to the second, in UTC.
 *
 * @module
 */
import { DerError } from './error.ts';
import type { DerReader } from './reader.ts';
import { Tag } from './tags.ts';

/** Years from 1950 until here are UTCTime, later ones GeneralizedTime. */
const FIRST_GENERALIZED_YEAR = 2050;
/** A byte order mark is no part of a time; the decoder keeps it so that it is refused. */
const UTF_8 = new TextDecoder('utf-8', { ignoreBOM: true });
const UTC = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/**
 * Milliseconds since 1970.
 *
 * @throws {DerError} for the other type of the year, and for a time that no calendar has.
 */
export function readTime(reader: DerReader): number {
  const generalized = reader.nextTag === Tag.GENERALIZED_TIME;
  const { content } = reader.take(generalized ? Tag.GENERALIZED_TIME : Tag.UTC_TIME);
  const text = UTF_8.decode(content.subarray(0, 20));
  const fields = (generalized ? GENERALIZED : UTC).exec(text)?.slice(1).map(Number) ?? [];
  const time = generalized ? generalizedTime(fields) : utcTime(fields);
  if (time === undefined || timeText(time) !== text) {
    throw new DerError('a time of RFC 5280', JSON.stringify(text));
  }
  return time;
}

/** As the content of UTCTime or GeneralizedTime, whichever the year takes; of 1950 to 9999. */
export function timeText(milliseconds: number): string {
  const text = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, '');
  return isGeneralized(milliseconds) ? text : text.slice(2);
}

/** Whether the year takes GeneralizedTime. */
export function isGeneralized(milliseconds: number): boolean {
  return new Date(milliseconds).getUTCFullYear() >= FIRST_GENERALIZED_YEAR;
}

function utcTime([year = Number.NaN, ...rest]: number[]): number | undefined {
  return generalizedTime([year + (year < 50 ? 2000 : 1900), ...rest]);
}

function generalizedTime(fields: number[]): number | undefined {
  const [year = Number.NaN, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  return Number.isNaN(time) ? undefined : time;
}
