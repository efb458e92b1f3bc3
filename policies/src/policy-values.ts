/**
 * The kinds of value that policies share, and those of an attestation policy.
 *
 * Every error message states the expected value, as {@link problemsOf} requires.
 *
 * @module
 */
import * as z from 'zod/mini';
import { plainCopy } from './plain-copy.ts';
import { knownKeys } from './policy-problems.ts';

/** States that any value is accepted, where leaving it out would mean that none is. */
export const ANY_EXPLICIT = 'any-explicit';

/** For the lists that a policy has. */
export const MAX_LIST = 4096;

/** Lists of chips may cover a fleet. */
export const MAX_CHIPS = 65_536;

/** A plain object of these keys and no other. */
export function closed<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const own = converted<unknown>('a mapping', plainCopy);
  return z.pipe(own, z.strictObject(shape, { error: knownKeys(Object.keys(shape)) }));
}

/** A value that `read` converts from the document's; undefined where it cannot. */
export function converted<Value>(expected: string, read: (value: unknown) => Value | undefined) {
  return z.pipe(
    z.unknown(),
    z.transform((input, context): Value => {
      const value = read(input);
      if (value !== undefined) return value;
      context.issues.push({ code: 'custom', message: expected, input });
      return z.NEVER;
    }),
  );
}

export function flag(byDefault: boolean) {
  const either = converted('true or false', (value) =>
    typeof value === 'boolean' ? value : undefined,
  );
  return z._default(either, byDefault);
}

export function oneOf<const Name extends string | number>(names: readonly Name[]) {
  return converted(`one of ${names.join(', ')}`, (value) => names.find((name) => name === value));
}

export function integer(minimum: number, maximum: number) {
  return converted(`an integer from ${minimum} to ${maximum}`, (value) =>
    readBetween(value, minimum, maximum),
  );
}

export function integerOrNull(minimum: number, maximum: number) {
  return converted(`an integer from ${minimum} to ${maximum}, or null`, (value) =>
    value === null ? value : readBetween(value, minimum, maximum),
  );
}

function readBetween(value: unknown, minimum: number, maximum: number): number | undefined {
  const fits = Number.isInteger(value) && minimum <= Number(value) && Number(value) <= maximum;
  return fits ? Number(value) : undefined;
}

/**
 * Each entry once, in the order of first occurrence; the entries of too long a list are not
 * checked.
 */
export function list<Item extends z.core.$ZodType>(item: Item, maximum: number = MAX_LIST) {
  const entries = converted(`a list of at most ${maximum}`, (value): unknown[] | undefined =>
    Array.isArray(value) && value.length <= maximum ? value : undefined,
  );
  const unique = z.transform((items: z.output<Item>[]) => [...new Set(items)]);
  return z.pipe(entries, z.pipe(z.array(item), unique));
}

function digits(bytes: number): string {
  return `${bytes * 2} hexadecimal digits (${bytes} bytes)`;
}

/** The digits in lower case; undefined unless they are exactly so many bytes. */
function readHex(value: unknown, bytes: number): string | undefined {
  if (typeof value !== 'string' || value.length !== bytes * 2) return undefined;
  return /^[0-9a-f]+$/i.test(value) ? value.toLowerCase() : undefined;
}

function nonZero(hex: string | undefined): string | undefined {
  return hex === undefined || /^0+$/.test(hex) ? undefined : hex;
}

export function hex(bytes: number) {
  return converted(digits(bytes), (value) => readHex(value, bytes));
}

/** Hexadecimal where zero would stand for the absence of what is listed. */
export function nonZeroHex(bytes: number) {
  return converted(`${digits(bytes)}, not all zero`, (value) => nonZero(readHex(value, bytes)));
}

export function hexOrAny(bytes: number) {
  return converted(`${digits(bytes)} or ${ANY_EXPLICIT}`, (value) =>
    value === ANY_EXPLICIT ? value : readHex(value, bytes),
  );
}

const CHIP_ID = 64;
const TURIN_CHIP_ID = 8;

/** CHIP_ID as a report has it; the 8 bytes of a Turin chip are those and zeros there. */
export const chipId = converted(
  `${digits(CHIP_ID)}, or ${digits(TURIN_CHIP_ID)} for Turin; not all zero`,
  (value) =>
    nonZero(readHex(value, CHIP_ID)) ??
    nonZero(readHex(value, TURIN_CHIP_ID))?.padEnd(CHIP_ID * 2, '0'),
);

const VULNERABLE_SIZES: readonly number[] = [32, 48, CHIP_ID];

/** The values in the list of known vulnerabilities: digests of firmware and launches, and chips. */
export const vulnerableDigest = converted(
  'the SHA-256 of a firmware, a launch digest or a CHIP_ID: 64, 96 or 128 hexadecimal digits',
  (value) => VULNERABLE_SIZES.map((size) => readHex(value, size)).find((hex) => hex !== undefined),
);

/** An unsigned number of 64 bits, from an integer, its digits, or `0x` and hexadecimal digits. */
export const unsigned64 = converted(
  'an integer of 64 bits, from 0, or one in hexadecimal such as 0x1f',
  (value) => {
    const number = readInteger(value);
    return number !== undefined && BigInt.asUintN(64, number) === number ? number : undefined;
  },
);

function readInteger(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (Number.isSafeInteger(value)) return BigInt(Number(value));
  if (typeof value !== 'string') return undefined;
  return /^(0|[1-9][0-9]{0,19}|0x[0-9a-f]{1,16})$/i.test(value) ? BigInt(value) : undefined;
}

/** `1.55` or `1.55.22`. */
export const firmwareVersion = converted('a firmware version such as 1.55 or 1.55.22', (value) =>
  typeof value === 'string' &&
  /^(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){1,2}$/.test(value) &&
  value.split('.').every((part) => Number(part) <= 0xff)
    ? value
    : undefined,
);

/** A distinguished name as certificates have it, compared as a whole. */
export const cspId = converted('a CSP_ID such as CN=cc-us-east-2.amazonaws.com', (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= 256 ? value : undefined,
);
