/**
 * Parses JSON files from untrusted writers.
 *
 * @module
 */

/** The value of a JSON text in UTF-8; undefined for anything else, which no schema takes. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
