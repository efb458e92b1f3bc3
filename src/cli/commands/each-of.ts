/**
 * Runs an action for several names: results are printed, failures are reported, and the rest still
 * runs.
 *
 * @module
 */
import type { Context } from '../context.ts';
import { printFailure } from '../print-failure.ts';

/** How many are under way at once. */
const AT_ONCE = 16;

/**
 * Prints the results of `act` for the names, in order.
 *
 * @returns the exit status
 */
export async function eachOf(
  context: Context,
  names: readonly string[],
  act: (name: string) => Promise<string | undefined>,
): Promise<number> {
  let failed = false;
  for (let first = 0; first < names.length; first += AT_ONCE) {
    const batch = names.slice(first, first + AT_ONCE);
    const results = await Promise.allSettled(batch.map((name) => act(name)));
    for (const result of results) {
      if (result.status === 'fulfilled') {
        if (result.value !== undefined) context.stdout.write(`${result.value}\n`);
      } else {
        failed = true;
        printFailure(context, result.reason);
      }
    }
  }
  return failed ? 1 : 0;
}
