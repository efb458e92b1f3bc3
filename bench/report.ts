/**
 * Prints results for people, and for programs.
 *
 * @module
 */
import type { MachineDescription } from './machine.ts';
import { type BenchmarkResult, shown } from './statistics.ts';

const HEAD = ['benchmark', 'n', 'p50', 'p95', 'against', 'ratio', 'aim'];

/** Columns of equal width, without a last newline. */
export function table(results: readonly BenchmarkResult[]): string {
  const rows = [HEAD, ...results.map(row)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => width(cells, column))));
  return rows
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

/**
 * The document that `--json` prints: `{machine, results}`, where a result has the fields of a row
 * and no others.
 */
export function asJson(machine: MachineDescription, results: readonly BenchmarkResult[]): string {
  const rows = results.map(({ name, unit, n, p50, p95, against, ratio, aim }) => ({
    ...{ name, unit, n, p50, p95, against, ratio, aim },
  }));
  return JSON.stringify({ machine, results: rows }, null, 2);
}

function row({ name, unit, n, p50, p95, against, ratio, aim }: BenchmarkResult): string[] {
  return [
    name,
    String(n),
    `${shown(p50)} ${unit}`,
    shown(p95),
    against,
    ratio === null ? '' : ratio.toFixed(2),
    aim,
  ];
}

function width(cells: readonly string[], column: number): number {
  return cells[column]?.length ?? 0;
}
