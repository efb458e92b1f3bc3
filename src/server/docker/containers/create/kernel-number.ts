/**
 * Numbers as the kernel reads them in mount options.
 *
 * @module
 */

const SUFFIXES = 'kmgtpe';

/**
 * A decimal number, one in octal digits after a zero, or a hexadecimal one after `0x`.
 *
 * @returns undefined for anything else, and above the largest number
 */
export function kernelNumber(text: string, largest: number): number | undefined {
  const octal = /^0[0-7]+$/.test(text);
  if (!octal && !/^(0|[1-9]\d*|0x[0-9a-f]+)$/i.test(text)) return undefined;
  const value = Number(octal ? `0o${text}` : text);
  return value <= largest ? value : undefined;
}

/**
 * The same with a suffix: `64m` are 64 MiB.
 *
 * @param unit what the number counts, in bytes
 */
export function kernelSize(text: string, unit = 1): number | undefined {
  const [, digits = '', suffix = ''] = /^(0x[0-9a-f]+|\d+)([kmgtpe]?)$/i.exec(text) ?? [];
  const number = kernelNumber(digits, Number.MAX_SAFE_INTEGER);
  if (number === undefined) return undefined;
  const power = suffix === '' ? 0 : SUFFIXES.indexOf(suffix.toLowerCase()) + 1;
  const bytes = number * 1024 ** power * unit;
  return bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined;
}
