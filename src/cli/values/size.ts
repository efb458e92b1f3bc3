/**
 * Sizes and CPU counts as Docker writes them.
 *
 * @module
 */

const UNITS = 'kmgtp';

/**
 * `512m`, `1.5g`, `64MiB`, `1048576`: units are powers of 1024.
 *
 * @throws RangeError for anything else
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?$/i.exec(text);
  const [, number, unit] = match ?? [];
  if (number === undefined) throw new RangeError(`invalid size: '${text}'`);
  const power = unit === undefined ? 0 : UNITS.indexOf(unit.toLowerCase()) + 1;
  const bytes = Math.floor(Number(number) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`invalid size: '${text}'`);
  return bytes;
}

/**
 * `1.5` CPUs in billionths.
 *
 * @throws RangeError for what is no decimal number, or finer than a billionth
 */
export function parseCpus(text: string): number {
  const match = /^(\d{0,6})(?:\.(\d*))?$/.exec(text);
  const [, whole = '', fraction = ''] = match ?? [];
  if (match === null || whole + fraction === '') {
    throw new RangeError(`failed to parse ${text} as a number of CPUs`);
  }
  if (fraction.length > 9) throw new RangeError('value is too precise');
  return Number(`${whole}${fraction.padEnd(9, '0')}`);
}
