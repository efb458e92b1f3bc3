/**
 * The local terminal: whether there is one, and its detach keys.
 *
 * @module
 */
import type { Context } from '../context.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { UsageError } from '../usage-error.ts';
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from '../values/detach-keys.ts';

/** @throws UsageError where a terminal is required and the input is not one */
export function checkTerminal(context: Context, wanted: boolean): void {
  if (!wanted || context.stdin.isTTY === true) return;
  throw new UsageError('the input device is not a TTY', {
    status: 1,
    remedy: 'Leave out -t, or run this from a terminal.',
  });
}

/** The keys of `--detach-keys`, or Docker's. */
export function detachKeys(flags: FlagValues): Buffer {
  return flags.parsed('detach-keys', parseDetachKeys) ?? parseDetachKeys(DEFAULT_DETACH_KEYS);
}
