import fc from 'fast-check';

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? '2');
const ROUND = 20;

/** For the test around it, in milliseconds. */
export const FUZZ_TIMEOUT = SECONDS * 1000 + 30_000;

/**
 * Checks a property for as long as `FUZZ_SECONDS` says, 2 where it is not set.
 *
 * In rounds, since fast-check's own time limit leaves the last run at work behind the test's back.
 */
export async function fuzz<T>(property: fc.IRawProperty<T>): Promise<void> {
  const end = performance.now() + SECONDS * 1000;
  do {
    await fc.assert(property, { numRuns: ROUND });
  } while (performance.now() < end);
}
