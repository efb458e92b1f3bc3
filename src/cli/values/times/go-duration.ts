/**
 * Durations as Go writes them: `1h30m`, `1.5s`, `100ms`.
 *
 * @module
 */

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  '\u00b5s': 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)([^\d.]+)/g;
const DURATION = /^([+-])?((?:(?:\d+(?:\.\d*)?|\.\d+)[^\d.]+)+)$/;

/**
 * Nanoseconds, rounded to whole ones. More than 2^53 of them, some 104 days, are refused: JSON's
 * numbers hold no more.
 *
 * @throws RangeError in Go's words
 */
export function parseGoDuration(text: string): number {
  if (/^[+-]?0$/.test(text)) return 0;
  const [, sign, parts] = DURATION.exec(text) ?? [];
  if (parts === undefined) {
    const bare = /^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(text);
    throw new RangeError(`time: ${bare ? 'missing unit in' : 'invalid'} duration "${text}"`);
  }
  let total = 0;
  for (const [, number, unit = ''] of parts.matchAll(PART)) {
    const scale = Object.hasOwn(NANOSECONDS, unit) ? NANOSECONDS[unit] : undefined;
    if (scale === undefined) {
      throw new RangeError(`time: unknown unit "${unit}" in duration "${text}"`);
    }
    total += Number(number) * scale;
  }
  const nanoseconds = Math.round(total);
  if (!Number.isSafeInteger(nanoseconds)) {
    throw new RangeError(`time: invalid duration "${text}"`);
  }
  return sign === '-' ? -nanoseconds : nanoseconds;
}
