/**
 * Parses JSON where the text is valid JSON, and returns the text otherwise: a parser of values
 * takes both.
 *
 * @module
 */
export function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
