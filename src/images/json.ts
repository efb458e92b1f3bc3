/**
 * JSON documents of an image: bounded, narrowed once.
 *
 * @module
 */
import type * as z from 'zod';
import { corrupt } from './tar/corrupt.ts';

const MAX_DEPTH = 64;

/** @throws A3sError `invalid-image` naming every bad field; `what` names the document */
export function parseDocument<T>(bytes: Buffer, schema: z.ZodType<T>, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw corrupt(what, `it is not JSON (${error instanceof Error ? error.message : error})`);
  }
  if (depthOf(value) > MAX_DEPTH) throw corrupt(what, 'it is nested too deeply');
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'document'}: ${message}`,
  );
  const more = faults.length > 5 ? `; and ${faults.length - 5} more` : '';
  throw corrupt(what, `${faults.slice(0, 5).join('; ').slice(0, 1000)}${more}`);
}

/** Breadth first: a hostile document is deeper than the call stack. */
function depthOf(value: unknown): number {
  let depth = 0;
  for (let level = [value]; level.length > 0; depth += 1) {
    level = level.flatMap((item) =>
      typeof item === 'object' && item !== null ? Object.values(item) : [],
    );
    if (depth > MAX_DEPTH) break;
  }
  return depth;
}
