/**
 * JSON as values of CEL.
 *
 * A whole number is an `int`, any other a `double`, so that `predicate.count == 3`,
 * `predicate.count + 1` and `predicate.score > 7` work as written; CEL itself compares across the
 * two. Beyond 2^53, where JSON's numbers are not exact, all are doubles.
 *
 * @module
 */
import { MAX_STATEMENT_VALUES } from '../limits.ts';

/** The CEL form of a JSON value. */
export type CelJson = null | boolean | number | bigint | string | CelJson[] | Map<string, CelJson>;

/** In the strings of one statement. */
const MAX_CHARACTERS = 16 * 1024 * 1024;
const MAX_DEPTH = 64;

/** @throws RangeError for a document beyond these bounds */
export function celJson(document: unknown): CelJson {
  const left = { values: MAX_STATEMENT_VALUES, characters: MAX_CHARACTERS };
  return convert(document, left, 0);
}

interface Left {
  values: number;
  characters: number;
}

/** JSON has no infinite numbers; `JSON.parse` makes them from numbers that are too large. */
function numberOf(value: number): bigint | number {
  if (!Number.isFinite(value)) throw new RangeError('it has a number that is not finite');
  return Number.isSafeInteger(value) ? BigInt(value) : value;
}

function convert(value: unknown, left: Left, depth: number): CelJson {
  left.values -= 1;
  if (typeof value === 'string') left.characters -= value.length;
  if (left.values < 0) throw new RangeError(`it has more than ${MAX_STATEMENT_VALUES} values`);
  if (left.characters < 0) throw new RangeError(`it has more than ${MAX_CHARACTERS} characters`);
  if (depth > MAX_DEPTH) throw new RangeError(`it is nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((item) => convert(item, left, depth + 1));
  if (typeof value === 'number') return numberOf(value);
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object') throw new RangeError(`it has a value of the type ${typeof value}`);
  const map = new Map<string, CelJson>();
  for (const [key, member] of Object.entries(value)) {
    left.characters -= key.length;
    map.set(key, convert(member, left, depth + 1));
  }
  return map;
}
