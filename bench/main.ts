/**
 * `npm run bench`: all benchmarks, or those that are named. `--json` prints only JSON; `--samples N` sets how many.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { coldBoot } from './cold-boot.ts';
import { exec } from './exec.ts';
import { memory } from './memory.ts';
import { pull } from './pull.ts';
import { type Benchmark, type BenchmarkResult, shown } from './statistics.ts';
import { verify } from './verify.ts';
import { verifyImage } from './verify-image.ts';

const BENCHMARKS: readonly Benchmark[] = [coldBoot, exec, memory, pull, verify, verifyImage];

function machine(): Record<string, string | number> {
  const [qemu = ''] = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split(
    '\n',
  );
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    qemu,
  };
}

function table(results: readonly BenchmarkResult[]): string {
  const rows = results.map((result) => [
    result.name,
    String(result.n),
    `${shown(result.p50)} ${result.unit}`,
    shown(result.p95),
    result.against,
    result.ratio === null ? '' : result.ratio.toFixed(2),
    result.aim,
  ]);
  const all = [['benchmark', 'n', 'p50', 'p95', 'against', 'ratio', 'aim'], ...rows];
  const widths =
    all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      samples: { type: 'string', default: '10' },
    },
  });
  const unknown = positionals.filter(
    (name) => !BENCHMARKS.some((benchmark) => benchmark.name === name),
  );
  if (unknown.length > 0 || !/^[1-9]\d{0,3}$/.test(values.samples)) {
    console.error(
      `Cannot run that: benchmarks are ${BENCHMARKS.map(({ name }) => name).join(', ')}; --samples is 1 to 9999.`,
    );
    process.exit(2);
  }
  const results: BenchmarkResult[] = [];
  for (const benchmark of BENCHMARKS) {
    if (positionals.length > 0 && !positionals.includes(benchmark.name)) continue;
    if (!values.json) console.error(`${benchmark.name} …`);
    results.push(...(await benchmark.run(Number(values.samples))));
  }
  console.log(
    values.json ? JSON.stringify({ machine: machine(), results }, null, 2) : table(results),
  );
}

await main();
