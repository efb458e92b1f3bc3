/**
 * Reads request documents as Go decodes them, which Docker's clients rely on. The name of a field
 * matches in any case, and null means an absent field. Keys of maps are data and stay as they are.
 *
 * @module
 */
import * as z from 'zod';
import { parseRequest } from '../http/parse.ts';
import type { Reader } from '../http/route.ts';

type Schema = z.core.$ZodType;

/** A body that Docker reads with Go's decoder. */
export function goBody<T extends z.ZodType>(schema: T): Reader<z.output<T>> {
  return { schema, read: (document) => parseRequest(schema, goDocument(schema, document)) };
}

/**
 * The document with the schema's names, without null values, and without unknown fields that ask
 * for nothing.
 *
 * @param ignored receives the names of those unknown fields, for the answer's warnings
 */
export function goDocument(
  schema: Schema,
  value: unknown,
  ignored: string[] = [],
  where = '',
): unknown {
  const inner = unwrapped(schema);
  if (Array.isArray(value)) {
    return inner instanceof z.ZodArray
      ? value.map((each) => element(inner.element, each, ignored, where))
      : value;
  }
  if (!isObject(value)) return value;
  if (inner instanceof z.ZodRecord) {
    const { valueType } = inner;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [
        key,
        element(valueType, each, ignored, `${where}${key.slice(0, 64)}.`),
      ]),
    );
  }
  return inner instanceof z.ZodObject ? goObject(inner, value, ignored, where) : value;
}

/** The same for a document that is an object. */
export function goObject(
  { shape }: z.ZodObject,
  value: object,
  ignored: string[],
  where = '',
): Record<string, unknown> {
  const nameOf = fieldNames(Object.keys(shape));
  const kept: Record<string, unknown> = Object.create(null);
  for (const [key, field] of Object.entries(value)) {
    const name = nameOf(key);
    const known = name === undefined ? undefined : shape[name];
    if (name === undefined || known === undefined) {
      if (isZero(field)) ignored.push(`${where}${key.slice(0, 64)}`);
      else kept[key] = field;
    } else if (field !== null) {
      kept[name] = goDocument(known, field, ignored, `${where}${name}.`);
    }
  }
  return kept;
}

/** Finds the field for a key: the field of this very name, or one that differs only in case. */
export function fieldNames(names: readonly string[]): (key: string) => string | undefined {
  const exact = new Set(names);
  const folded = new Map(names.map((name) => [name.toLowerCase(), name]));
  return (key) => (exact.has(key) ? key : folded.get(key.toLowerCase()));
}

/** Whether Go would decode the value to the same as an absent field. */
export function isZero(value: unknown): boolean {
  return (
    value === null ||
    value === undefined ||
    value === '' ||
    value === 0 ||
    value === false ||
    (Array.isArray(value) && value.length === 0) ||
    (isObject(value) && Object.keys(value).length === 0)
  );
}

/** An element of a list or a map. There null is an element too: the zero value of its type. */
function element(schema: Schema, value: unknown, ignored: string[], where: string): unknown {
  return value === null ? zeroOf(schema) : goDocument(schema, value, ignored, where);
}

function zeroOf(schema: Schema): unknown {
  if (schema instanceof z.ZodNullable) return null;
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodString) return '';
  if (inner instanceof z.ZodNumber) return 0;
  if (inner instanceof z.ZodBoolean) return false;
  if (inner instanceof z.ZodArray) return [];
  if (inner instanceof z.ZodObject || inner instanceof z.ZodRecord) return {};
  return null;
}

/**
 * The inner schema that reads the value, without optional, nullable and default wrappers and
 * transformations.
 */
function unwrapped(schema: Schema): Schema {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return unwrapped(schema.def.innerType);
  }
  return schema instanceof z.ZodPipe ? unwrapped(schema.def.in) : schema;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
