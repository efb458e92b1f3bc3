/**
 * Canonical JSON (RFC 8785) of documents that hold strings, safe integers, booleans, lists and
 * mappings: one value, one text.
 *
 * Other JSON values (fractions, exponents, null) are refused in a document that several programs
 * have to hash alike.
 *
 * @module
 */

/** A value that has a canonical text. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue | undefined };

/** Deeper documents are refused, so that no reader runs out of stack. */
const MAX_DEPTH = 32;

/**
 * The canonical text of a value: members sorted by the UTF-16 units of their names, no blanks, the
 * shortest escapes. Members that are undefined are left out.
 *
 * @throws {RangeError} for a number that is no safe integer, a lone surrogate, and too deep a
 * nesting
 * @throws {TypeError} for a value of any other kind
 */
export function canonicalJson(value: CanonicalValue): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new RangeError(`Cannot write JSON of more than ${MAX_DEPTH} levels`);
  switch (typeof value) {
    case 'string':
      return text(value);
    case 'boolean':
      return String(value);
    case 'number':
      return integer(value);
    case 'object':
      if (Array.isArray(value)) {
        return `[${value.map((entry) => write(entry, depth + 1)).join(',')}]`;
      }
      if (value !== null) return mapping(value, depth);
  }
  throw new TypeError(`Cannot write ${value === null ? 'null' : typeof value} as canonical JSON`);
}

function mapping(value: object, depth: number): string {
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${text(name)}:${write(member, depth + 1)}`);
  return `{${members.join(',')}}`;
}

function integer(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw new RangeError(`Cannot write ${value} as canonical JSON: it is no safe integer`);
  }
  return String(value);
}

/**
 * `JSON.stringify` escapes as RFC 8785 requires, except for lone surrogates, which no UTF-8 text
 * can hold.
 */
function text(value: string): string {
  if (/\p{Surrogate}/u.test(value)) {
    throw new RangeError('Cannot write a lone surrogate as canonical JSON');
  }
  return JSON.stringify(value);
}
