/**
 * The functions of Go's templates and those that Docker adds.
 *
 * @module
 */
import { isObject } from '../../client/json.ts';
import { forTerminals } from '../json-text.ts';
import { isTrue, printValue } from './values.ts';

type TemplateFunction = (...args: readonly unknown[]) => unknown;

/** Widest column that `pad` and `printf` make. */
const MAX_WIDTH = 4096;

/** Each throws RangeError for arguments that it cannot take. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['json', (value) => forTerminals(JSON.stringify(value ?? null))],
  ['index', index],
  ['slice', slice],
  ['len', length],
  ['print', (...values) => values.map(printValue).join(' ')],
  ['println', (...values) => `${values.map(printValue).join(' ')}\n`],
  ['printf', printf],
  ['join', (list, separator) => listOf(list).map(printValue).join(text(separator))],
  ['split', (value, separator) => text(value).split(text(separator))],
  ['lower', (value) => text(value).toLowerCase()],
  ['upper', (value) => text(value).toUpperCase()],
  ['title', (value) => text(value).replace(/\b\p{L}/gu, (letter) => letter.toUpperCase())],
  [
    'pad',
    (value, before, after) => ' '.repeat(width(before)) + text(value) + ' '.repeat(width(after)),
  ],
  ['truncate', (value, size) => [...text(value)].slice(0, width(size)).join('')],
  ['eq', (first, ...rest) => rest.some((other) => equal(first, other))],
  ['ne', (first, second) => !equal(first, second)],
  ['lt', (first, second) => order(first, second) < 0],
  ['le', (first, second) => order(first, second) <= 0],
  ['gt', (first, second) => order(first, second) > 0],
  ['ge', (first, second) => order(first, second) >= 0],
  ['not', (value) => !isTrue(value)],
  ['and', (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1)],
  ['or', (...values) => values.find(isTrue) ?? values.at(-1)],
]);

function index(value: unknown, ...keys: readonly unknown[]): unknown {
  let found = value;
  for (const key of keys) {
    if (Array.isArray(found)) {
      if (typeof key !== 'number') throw new RangeError('cannot index a list with a string');
      if (!Number.isInteger(key) || key < 0 || key >= found.length) {
        throw new RangeError(`index out of range: ${key}`);
      }
      found = found[key];
    } else if (isObject(found)) {
      // Go gives the zero value of the element; that of a string prints as nothing.
      found = Object.hasOwn(found, String(key)) ? found[String(key)] : '';
    } else {
      throw new RangeError(`cannot index ${printValue(found)}`);
    }
  }
  return found;
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (!Array.isArray(value) && typeof value !== 'string') throw new RangeError('cannot slice this');
  const end = to === undefined ? value.length : width(to);
  if (width(from) > end || end > value.length) throw new RangeError('index out of range');
  return value.slice(width(from), end);
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isObject(value)) return Object.keys(value).length;
  throw new RangeError(`len of ${printValue(value)}`);
}

function printf(format: unknown, ...args: readonly unknown[]): string {
  const rest = [...args];
  const printed = text(format).replace(
    /%(%|(-?0?)(\d*)(?:\.(\d+))?([vsdqtxXf]))/g,
    (_, all: string, flag: string, size: string, precision: string | undefined, verb: string) => {
      if (all === '%') return '%';
      if (rest.length === 0) return `%!${verb}(MISSING)`;
      const value = render(verb, rest.shift(), precision);
      const wide = width(Number(size || 0));
      if (flag.startsWith('-')) return value.padEnd(wide);
      return value.padStart(wide, flag === '0' ? '0' : ' ');
    },
  );
  return rest.length === 0 ? printed : `${printed}%!(EXTRA ${rest.map(printValue).join(', ')})`;
}

function render(verb: string, value: unknown, precision: string | undefined): string {
  if (verb === 'q') return JSON.stringify(printValue(value));
  if (verb === 'f') return Number(value).toFixed(Math.min(Number(precision ?? 6), 20));
  if (verb === 'x' || verb === 'X') {
    const hex =
      typeof value === 'number' ? value.toString(16) : Buffer.from(text(value)).toString('hex');
    return verb === 'X' ? hex.toUpperCase() : hex;
  }
  const printed = printValue(value);
  return precision === undefined ? printed : printed.slice(0, Number(precision));
}

function equal(first: unknown, second: unknown): boolean {
  if (typeof first === 'object' && first !== null)
    throw new RangeError('incompatible types for comparison');
  return first === second;
}

function order(first: unknown, second: unknown): number {
  if (typeof first === 'number' && typeof second === 'number') return first - second;
  if (typeof first === 'string' && typeof second === 'string') {
    return first < second ? -1 : first > second ? 1 : 0;
  }
  throw new RangeError('incompatible types for comparison');
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new RangeError(`expected string; found ${printValue(value)}`);
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value === null) return [];
  throw new RangeError(`expected list; found ${printValue(value)}`);
}

function width(value: unknown): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > MAX_WIDTH) {
    throw new RangeError(`expected a small number; found ${printValue(value)}`);
  }
  return number;
}
