/**
 * How long a property test runs: `FUZZ_SECONDS`, a second by default.
 *
 * @module
 */
export function fuzzRuns(): { numRuns: number; interruptAfterTimeLimit: number } {
  const seconds = Number(process.env['FUZZ_SECONDS'] ?? 1);
  return { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1000 };
}
