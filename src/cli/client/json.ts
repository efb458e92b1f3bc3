/**
 * Narrowing of JSON that came from outside.
 *
 * @module
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A document of the server's, by its type. Any part of it may be missing: a server of another
 * version may have sent it.
 */
export type Received<T> =
  | Exclude<T, object>
  | (T extends readonly (infer Element)[] ? readonly Received<Element>[] : never)
  | ([Objects<T>] extends [never] ? never : Fields<Objects<T>>);

type Objects<T> = T extends readonly unknown[] ? never : T extends object ? T : never;
/** Of a union the fields of all its members. */
type Fields<T> = { readonly [Key in KeysOf<T>]?: Received<FieldOf<T, Key>> };
type KeysOf<T> = T extends Readonly<Record<string, never>> ? never : keyof T;
type FieldOf<T, Key extends PropertyKey> =
  T extends Readonly<Record<Key, infer Value>>
    ? Value
    : T extends { readonly [K in Key]?: infer Value }
      ? Value
      : never;

/** The object itself, or an empty one for anything else. */
export function objectOf<T extends object>(value: T | null | undefined): Partial<T>;
export function objectOf<T = JsonObject>(value: unknown): Received<T> & object;
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The elements that are objects; nothing for what is no array. */
export function objectsOf<T extends object>(
  value: readonly (T | null)[] | null | undefined,
): readonly T[];
export function objectsOf<T = JsonObject>(value: unknown): readonly (Received<T> & object)[];
export function objectsOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The elements that are strings; nothing for what is no array. */
export function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The string, or an empty one for anything else. */
export function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The number, or 0 for anything else. */
export function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
