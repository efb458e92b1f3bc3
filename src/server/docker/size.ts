/**
 * Sizes in options of drivers, as Docker writes them.
 *
 * @module
 */

const UNITS = 'kmgtp';

/**
 * Bytes of `10G`, `512m`, `1.5GiB` or `1048576`: units are powers of 1024. Undefined for anything
 * else.
 */
export function bytesOf(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?$/i.exec(text) ?? [];
  if (number === undefined) return undefined;
  const power = unit === undefined ? 0 : UNITS.indexOf(unit.toLowerCase()) + 1;
  const bytes = Math.floor(Number(number) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
