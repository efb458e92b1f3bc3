/**
 * JSON in the one spelling of Go's `encoding/json`, with which cosign writes what it signs.
 *
 * @module
 */

/**
 * Go escapes characters that a browser would take for markup, and JavaScript's line terminators.
 */
const ESCAPED = /[<>&\u2028\u2029]/g;

/** Of a document that `JSON.parse` made: members sorted by the bytes of their names. */
export function goJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return scalar(value);
  const members = Object.entries(value)
    .map(([name, member]) => ({
      name: Buffer.from(name),
      text: `${scalar(name)}:${goJson(member)}`,
    }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
  return `{${members.map(({ text }) => text).join(',')}}`;
}

function scalar(value: unknown): string {
  return JSON.stringify(value).replace(
    ESCAPED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
