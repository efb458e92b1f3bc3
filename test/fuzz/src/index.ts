/**
 * How long property tests search: `FUZZ_SECONDS`, a quarter of one where it is not set.
 *
 * @module
 */
import fc from 'fast-check';

const MILLISECONDS = Number(process.env['FUZZ_SECONDS'] ?? '0.25') * 1000;
const ROUND = 20;

/** For the test around it, in milliseconds. */
export const FUZZ_TIMEOUT = MILLISECONDS + 120_000;

/** fast-check's parameters for a search as long as that. */
export function fuzzRuns(): { numRuns: number; interruptAfterTimeLimit: number } {
  return { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: MILLISECONDS };
}

/**
 * Checks a property for as long as that, whatever one run takes.
 *
 * In rounds, since fast-check's own time limit leaves the last run at work behind the test's back,
 * and fails a property whose first run takes longer than that.
 *
 * @param round runs between two looks at the clock; 1 where a run takes long
 */
export async function fuzz<T>(property: fc.IRawProperty<T>, round = ROUND): Promise<void> {
  const end = performance.now() + MILLISECONDS;
  do {
    await fc.assert(property, { numRuns: round });
  } while (performance.now() < end);
}
