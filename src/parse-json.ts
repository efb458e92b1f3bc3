/**
 * Reads JSON that may be none.
 *
 * @module
 */

/** Undefined for what is no JSON, which a schema then refuses. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
