/**
 * What a benchmark is, and what is asked of it.
 *
 * @module
 */
import type { BenchmarkResult } from './statistics.ts';

export interface Asked {
  /** How often; a benchmark whose rounds are long takes fewer. */
  readonly samples: number;
  /** Aborted when whoever runs this wants it to end: the benchmark then rejects with its reason and leaves nothing behind. */
  readonly signal: AbortSignal;
}

export interface Benchmark {
  readonly name: string;
  /** The rows. Rejects where they cannot be measured, and says why: a row is never made up. */
  run(asked: Asked): Promise<readonly BenchmarkResult[]>;
}
