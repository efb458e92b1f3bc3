/**
 * GUIDs as firmware tables hold them: the first three groups little-endian.
 *
 * @module
 */
import { fromHex, toHex } from '../../hex.ts';

export const GUID_SIZE = 16;

const LITTLE_ENDIAN = [
  [0, 4],
  [4, 6],
  [6, 8],
] as const;

/** Lower-case text of 16 bytes. */
export function guidText(bytes: Uint8Array): string {
  const hex = toHex(swapGroups(bytes));
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The 16 bytes of a GUID's text; a `TypeError` for any other text. */
export function guidBytes(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll('-', ''));
  if (bytes?.length !== GUID_SIZE) throw new TypeError(`${text} is not a GUID`);
  return swapGroups(bytes);
}

function swapGroups(bytes: Uint8Array): Uint8Array {
  // Not slice(): that of a Buffer shares its memory.
  const swapped = Uint8Array.from(bytes);
  for (const [start, end] of LITTLE_ENDIAN) swapped.subarray(start, end).reverse();
  return swapped;
}
