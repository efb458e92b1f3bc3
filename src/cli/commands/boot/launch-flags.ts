/**
 * `--cpus` and `--tee` of the commands that compute the launch of a boot set.
 *
 * @module
 */
import type { FlagValues } from '../../flags/flag-values.ts';

/** The largest number that the launch digest takes. */
const MAX_CPUS = 4096;

export function cpusOf(flags: FlagValues): number {
  return within(flags, 'cpus', 1, MAX_CPUS) ?? 1;
}

export function teeOf(flags: FlagValues): 'snp' | 'simulated' {
  return flags.parsed('tee', parseTee) ?? 'snp';
}

function parseTee(text: string): 'snp' | 'simulated' {
  if (text === 'snp') return 'snp';
  if (text === 'simulate') return 'simulated';
  throw new RangeError('it takes snp or simulate');
}

/** @throws UsageError for a number outside of the bounds */
export function within(
  flags: FlagValues,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = flags.int(name);
  if (value === undefined || (value >= min && value <= max)) return value;
  throw flags.invalid(name, String(value), `it takes ${min} to ${max}`);
}
