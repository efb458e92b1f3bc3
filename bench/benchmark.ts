/**
 * The interface of a benchmark, and its parameters.
 *
 * @module
 */
import type { BenchmarkResult } from './statistics.ts';

export interface Asked {
  /** How often; a benchmark whose rounds are long takes fewer. */
  readonly samples: number;
  /**
   * Aborted when the caller ends the run: the benchmark then rejects with the signal's reason and
   * leaves nothing behind.
   */
  readonly signal: AbortSignal;
}

export interface Benchmark {
  readonly name: string;
  /** The rows. Rejects where they cannot be measured, and says why: a row is never made up. */
  run(asked: Asked): Promise<readonly BenchmarkResult[]>;
}
