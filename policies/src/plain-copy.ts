/**
 * Copies an object's own members: a document inherits nothing.
 *
 * @module
 */

/** Its own enumerable keys, each read once; undefined for all but a plain object. */
export function plainCopy(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!isPlain(value)) return undefined;
  const nothing: Record<string, unknown> = Object.create(null);
  return Object.assign(nothing, value);
}

/** Whether it is a literal, or has no prototype: neither a list, nor an instance of any class. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
