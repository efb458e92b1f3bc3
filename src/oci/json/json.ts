/**
 * JSON documents of an image: bounded, narrowed once.
 *
 * @module
 */
import * as z from 'zod';
import { narrow } from '../../narrow.ts';
import { corrupt } from '../corrupt.ts';
import { repeatedMember } from './json-members.ts';
import { jsonSize } from './json-values.ts';

const MAX_DEPTH = 64;
/**
 * Each bad value costs a fault, and a hundred thousand faults cost seconds. No manifest or
 * configuration has so many values.
 */
const MAX_VALUES = 50_000;

/**
 * @param maxValues members and items of lists, at all depths
 * @throws A3sError `invalid-image` naming every bad field, or a member that is repeated: readers
 *   differ in which one they take; `what` names the document
 */
export function parseDocument<T>(
  bytes: Buffer,
  schema: z.ZodType<T>,
  what: string,
  maxValues = MAX_VALUES,
): T {
  let text: string;
  let value: unknown;
  try {
    // A byte order mark stays, and is no JSON: many readers refuse it, Go's among them.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw corrupt(what, `it is not JSON (${error instanceof Error ? error.message : error})`);
  }
  const { values, depth } = jsonSize(text);
  if (values > maxValues) throw corrupt(what, `it has more than ${maxValues} values`);
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(what, `it is not JSON (${error instanceof Error ? error.message : error})`);
  }
  if (depth > MAX_DEPTH) throw corrupt(what, 'it is nested too deeply');
  const repeated = repeatedMember(text);
  if (repeated !== undefined) {
    throw corrupt(
      what,
      `an object in it has two members ${JSON.stringify(repeated.slice(0, 100))}`,
    );
  }
  const result = narrow(schema, value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'document'}: ${message}`,
  );
  const more = faults.length > 5 ? `; and ${faults.length - 5} more` : '';
  throw corrupt(what, `${faults.slice(0, 5).join('; ').slice(0, 1000)}${more}`);
}

/**
 * An object that may have members beside these, but none that differs from these in case only: Go's
 * readers, which most others are, would take one for the other.
 */
export function openObject<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$loose> {
  const spellings = new Map(Object.keys(shape).map((name) => [folded(name), name]));
  return z.looseObject(shape).superRefine((value, context) => {
    for (const name of Object.keys(value)) {
      const known = spellings.get(folded(name));
      if (known === undefined || known === name) continue;
      context.addIssue({
        code: 'custom',
        message: `has a member ${JSON.stringify(name)}, which some readers take for ${JSON.stringify(known)}`,
      });
    }
  });
}

/**
 * Go also takes the long s and the sign for kelvin for the letters that they look like, which one
 * step alone does not.
 */
function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}
