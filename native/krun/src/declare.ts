/**
 * Declares libkrun's functions to koffi, and checks what they are called with: koffi would cut a
 * number that is too large, and end a text at a NUL.
 *
 * @module
 */
import type { ApiFunction, Argument, CType } from './api/describe.ts';
import { KrunError } from './errors.ts';

/** How koffi writes the types. */
const KOFFI_TYPES: Readonly<Record<CType, string>> = {
  bool: 'bool',
  'char*': 'const char *',
  'const char*': 'const char *',
  'const char*const[]': 'const char **',
  'const uint16_t*': 'const uint16_t *',
  'const uint8_t*': 'const uint8_t *',
  'const uint8_t**': '_Out_ const uint8_t **',
  'const void*': 'const void *',
  gid_t: 'uint32_t',
  int: 'int32_t',
  size_t: 'uint64_t',
  'size_t*': '_Out_ uint64_t *',
  uid_t: 'uint32_t',
  uint16_t: 'uint16_t',
  uint32_t: 'uint32_t',
  uint64_t: 'uint64_t',
  uint8_t: 'uint8_t',
  'uint8_t*const': 'const uint8_t *',
};

export function prototype(name: string, { arguments: list }: ApiFunction): string {
  const declared = list.map(({ name, type }) => `${KOFFI_TYPES[type]} ${name}`);
  return `int32_t ${name}(${declared.join(', ')})`;
}

const LIMITS: Readonly<Partial<Record<CType, readonly [bigint, bigint]>>> = {
  uint8_t: [0n, 0xffn],
  uint16_t: [0n, 0xffffn],
  uint32_t: [0n, 0xffff_ffffn],
  uint64_t: [0n, 0xffff_ffff_ffff_ffffn],
  uid_t: [0n, 0xffff_ffffn],
  gid_t: [0n, 0xffff_ffffn],
  int: [-0x8000_0000n, 0x7fff_ffffn],
};

/** libkrun reads no more entries of a list, the NULL at its end included. */
const LIST_ENTRIES = 4096;

/**
 * The values for a call, with the lengths that the caller does not give.
 *
 * @throws KrunError `krun-argument`
 */
export function marshal(
  name: string,
  row: ApiFunction,
  given: readonly unknown[],
): readonly unknown[] {
  const taken = row.arguments.filter(({ lengthOf }) => lengthOf === undefined);
  if (taken.length !== given.length) {
    throw refused(name, row, `it takes ${taken.length} values, and got ${given.length}`);
  }
  const values = new Map(taken.map((argument, n) => [argument.name, given[n]]));
  return row.arguments.map((argument) => {
    if (argument.lengthOf === undefined) return checked(name, row, argument, values);
    const bytes = values.get(argument.lengthOf);
    return bytes instanceof Uint8Array ? bytes.byteLength : 0;
  });
}

function checked(
  name: string,
  row: ApiFunction,
  argument: Argument,
  values: ReadonlyMap<string, unknown>,
): unknown {
  const value = values.get(argument.name);
  const fault = value === null && argument.nullable === true ? undefined : faultOf(argument, value);
  if (fault !== undefined) throw refused(name, row, `${argument.name} ${fault}`);
  return argument.type === 'const char*const[]' && Array.isArray(value) ? [...value, null] : value;
}

/** What is wrong with a value; undefined: nothing. */
function faultOf({ type, bytes }: Argument, value: unknown): string | undefined {
  switch (type) {
    case 'bool':
      return typeof value === 'boolean' ? undefined : 'is no boolean';
    case 'char*':
    case 'const char*':
      return textFault(value);
    case 'const char*const[]':
      return listFault(value);
    case 'const uint16_t*':
      return value instanceof Uint16Array ? undefined : 'is no list of 16-bit numbers';
    case 'const uint8_t*':
    case 'const void*':
    case 'uint8_t*const':
      if (!(value instanceof Uint8Array)) return 'is no bytes';
      return bytes === undefined || value.byteLength === bytes
        ? undefined
        : `has ${value.byteLength} bytes in place of ${bytes}`;
    case 'const uint8_t**':
    case 'size_t*':
    case 'size_t':
      return undefined;
    default:
      return numberFault(type, value);
  }
}

function numberFault(type: CType, value: unknown): string | undefined {
  const [low, high] = LIMITS[type] ?? [0n, 0n];
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!whole) return 'is no whole number';
  const number = BigInt(value as bigint | number);
  return number >= low && number <= high ? undefined : `is not between ${low} and ${high}`;
}

function textFault(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'is no text';
  if (value.includes('\0')) return 'contains a NUL';
  return /\p{Surrogate}/u.test(value) ? 'is not well-formed text' : undefined;
}

function listFault(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'is no list';
  if (value.length >= LIST_ENTRIES) return `has ${LIST_ENTRIES} entries or more`;
  const fault = value.map(textFault).find((each) => each !== undefined);
  return fault === undefined ? undefined : `has an entry that ${fault}`;
}

function refused(name: string, { does }: ApiFunction, reason: string): KrunError {
  return new KrunError('krun-argument', `Cannot ${does}: ${reason}`, { function: name });
}
