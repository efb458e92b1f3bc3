/**
 * JSON and base64 of evidence, in the one spelling that each value has.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { parseDocument } from '../../oci/json/json.ts';
import { infiniteNumber } from '../../oci/json/json-numbers.ts';
import { Problem, type ProblemCode, quoted } from './problem.ts';

/**
 * @throws Problem where `bytes` are not a document of that shape, with each member at most once,
 *   and `number-not-finite` for a number that readers take for different ones
 */
export function readJson<T>(
  bytes: Buffer,
  schema: z.ZodType<T>,
  what: string,
  code: ProblemCode = 'malformed',
  maxValues?: number,
): T {
  const document = parse(bytes, schema, what, code, maxValues);
  const number = infiniteNumber(bytes.toString('latin1'));
  if (number === undefined) return document;
  throw new Problem(
    'number-not-finite',
    `cannot read ${what}: the number ${quoted(number)} in it is too large to be finite`,
  );
}

function parse<T>(
  bytes: Buffer,
  schema: z.ZodType<T>,
  what: string,
  code: ProblemCode,
  maxValues: number | undefined,
): T {
  try {
    return parseDocument(bytes, schema, what, maxValues);
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    throw new Problem(code, error.message.replace(/^Cannot/, 'cannot'));
  }
}

/** RFC 4648 section 4: padded, and no bits beyond the last byte. */
export function isBase64(text: string): boolean {
  return Buffer.from(text, 'base64').toString('base64') === text;
}

export const Base64 = z
  .string()
  .refine(isBase64, 'expected padded base64')
  .transform((text) => Buffer.from(text, 'base64'));

export const Hex = z
  .string()
  .regex(/^(?:[0-9a-f]{2})+$/, 'expected hexadecimal digits in lower case')
  .transform((text) => Buffer.from(text, 'hex'));
