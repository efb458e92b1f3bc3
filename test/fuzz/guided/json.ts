/**
 * JSON where the text is some, and else the text: a parser of values takes both.
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
