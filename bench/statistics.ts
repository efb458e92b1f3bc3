/**
 * The statistics of a benchmark's samples.
 *
 * @module
 */

/** One line of the table: figures, and what they are measured against in the same run. */
export interface BenchmarkResult {
  readonly name: string;
  readonly unit: string;
  /** Samples. */
  readonly n: number;
  readonly p50: number;
  readonly p95: number;
  /** What stands beside it, with its own median; empty where the figure stands alone. */
  readonly against: string;
  /** This median over that median; above 1 is slower or larger, unless the name says throughput. */
  readonly ratio: number | null;
  /** The ratio, or the figure, that we want. */
  readonly aim: string;
}

/** The value below which the given share of the samples lies, by nearest rank. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('Cannot take a percentile of no samples');
  return value;
}

export function compared(
  name: string,
  unit: string,
  samples: readonly number[],
  peer: { name: string; samples: readonly number[] },
  aim: string,
): BenchmarkResult {
  const p50 = percentile(samples, 0.5);
  const other = percentile(peer.samples, 0.5);
  return {
    name,
    unit,
    n: samples.length,
    p50,
    p95: percentile(samples, 0.95),
    against: `${peer.name} ${shown(other)} ${unit}`,
    ratio: p50 / other,
    aim,
  };
}

export function alone(
  name: string,
  unit: string,
  samples: readonly number[],
  aim: string,
): BenchmarkResult {
  return {
    name,
    unit,
    n: samples.length,
    p50: percentile(samples, 0.5),
    p95: percentile(samples, 0.95),
    against: '',
    ratio: null,
    aim,
  };
}

/** Three significant digits are all that a benchmark knows. */
export function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Milliseconds that an action takes. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}
