/**
 * Values as JSON text for programs.
 *
 * @module
 */

/**
 * One document and a newline. Numbers that JSON's readers would round are `0x…` strings, bytes are
 * hexadecimal, and what is undefined is left out.
 */
export function jsonText(value: unknown): string {
  return `${forTerminals(JSON.stringify(value, plain, 2))}\n`;
}

/**
 * The same document in JSON, with nothing in it that a terminal obeys: `JSON.stringify` leaves DEL
 * and C1 as they are.
 */
export function forTerminals(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`);
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  // A Buffer has turned itself into an object by now, so none may be in a value.
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value;
}
