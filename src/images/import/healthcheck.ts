/**
 * The instruction `HEALTHCHECK`, as Docker reads it.
 *
 * @module
 */

/** `Healthcheck` of an image's configuration; options that were not given are left out. */
export type HealthcheckConfig = Readonly<Record<string, number | readonly string[]>>;

const TIMES: Readonly<Record<string, string>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};
const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1000,
  µs: 1000,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const MILLISECOND = 1e6;

/**
 * @param command reads a list in JSON, or nothing where it is a line for the shell
 * @throws RangeError with what is wrong
 */
export function parseHealthcheck(
  text: string,
  command: (text: string) => readonly string[] | undefined,
): HealthcheckConfig {
  const options: Record<string, number> = {};
  let rest = text;
  for (;;) {
    const [all = '', name = '', value = ''] = /^--([a-z-]+)=(\S+)\s*/.exec(rest) ?? [];
    if (all === '') break;
    const time = Object.hasOwn(TIMES, name) ? TIMES[name] : undefined;
    const key = time ?? (name === 'retries' ? 'Retries' : undefined);
    if (key === undefined) throw new RangeError(`--${name} is no option of it`);
    if (Object.hasOwn(options, key)) throw new RangeError(`--${name} is given twice`);
    options[key] = time === undefined ? count(value) : duration(value);
    rest = rest.slice(all.length);
  }
  const [, kind = '', line = ''] = /^(\S+)\s*(.*)$/.exec(rest) ?? [];
  switch (kind.toUpperCase()) {
    case 'NONE':
      if (line !== '') throw new RangeError('NONE takes no arguments');
      return { Test: ['NONE'] };
    case 'CMD': {
      if (line === '') throw new RangeError('a command is missing after CMD');
      const words = command(line);
      if (words?.length === 0) throw new RangeError('a command is missing after CMD');
      return { Test: words === undefined ? ['CMD-SHELL', line] : ['CMD', ...words], ...options };
    }
    default:
      throw new RangeError('it is CMD with a command, or NONE');
  }
}

function count(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RangeError('--retries takes a number');
  return Number(text);
}

/** As Go writes it: `1m30s`, `1.5s`. */
function duration(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h)/g)];
  const whole = parts.map(([part]) => part).join('') === text && parts.length > 0;
  const sum = parts.reduce(
    (all, [, n = '', unit = '']) => all + Number(n) * (NANOSECONDS[unit] ?? 0),
    0,
  );
  const nanoseconds = Math.round(sum);
  if (!whole || !Number.isSafeInteger(nanoseconds)) {
    throw new RangeError(`${text.slice(0, 32)} is no time, such as 30s`);
  }
  if (nanoseconds !== 0 && nanoseconds < MILLISECOND) {
    throw new RangeError('a time cannot be less than 1ms');
  }
  return nanoseconds;
}
