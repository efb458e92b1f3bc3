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
  return `${JSON.stringify(value, plain, 2)}\n`;
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  // A Buffer has turned itself into an object by now, so none may be in a value.
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value;
}
