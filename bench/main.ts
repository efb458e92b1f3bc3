/**
 * `npm run bench`: all benchmarks, or the named ones. `--json` prints only JSON; `--samples N` sets
 * the number of samples.
 *
 * A benchmark that cannot be measured here prints the reason on standard error. The others go on,
 * and the exit status is 1.
 *
 * @module
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BenchArguments, parseArguments, UsageError } from './arguments.ts';
import type { Benchmark } from './benchmark.ts';
import { attest } from './benchmarks/attestation/attest.ts';
import { broker } from './benchmarks/attestation/broker.ts';
import { confidentialBoot } from './benchmarks/attestation/confidential-boot.ts';
import { verify } from './benchmarks/attestation/verify.ts';
import { burst } from './benchmarks/boxes/burst.ts';
import { coldBoot } from './benchmarks/boxes/cold-boot.ts';
import { density } from './benchmarks/boxes/density.ts';
import { engines } from './benchmarks/boxes/engines.ts';
import { exec } from './benchmarks/boxes/exec.ts';
import { fork } from './benchmarks/boxes/fork.ts';
import { instructions } from './benchmarks/boxes/instructions.ts';
import { lifecycle } from './benchmarks/boxes/lifecycle.ts';
import { restore } from './benchmarks/boxes/restore.ts';
import { runPool } from './benchmarks/boxes/run-pool.ts';
import { runWarm } from './benchmarks/boxes/run-warm.ts';
import { runWarmNet } from './benchmarks/boxes/run-warm-net.ts';
import { runWarmOwnNet } from './benchmarks/boxes/run-warm-own-net.ts';
import { build } from './benchmarks/images/build.ts';
import { pull } from './benchmarks/images/pull.ts';
import { verifyImage } from './benchmarks/images/verify-image.ts';
import { api } from './benchmarks/services/api.ts';
import { cliStart } from './benchmarks/services/cli-start.ts';
import { composeUp } from './benchmarks/services/compose-up.ts';
import { net } from './benchmarks/services/net.ts';
import { pod } from './benchmarks/services/pod.ts';
import { fs } from './benchmarks/storage/fs.ts';
import { sealedVolume } from './benchmarks/storage/sealed-volume.ts';
import { describeMachine, type MachineDescription } from './machine.ts';
import { asJson, table } from './report.ts';
import type { BenchmarkResult } from './statistics.ts';

/** In the order of the table. */
const BENCHMARKS: readonly Benchmark[] = [
  runWarm,
  runWarmNet,
  runWarmOwnNet,
  runPool,
  restore,
  coldBoot,
  fork,
  exec,
  lifecycle,
  api,
  burst,
  pod,
  composeUp,
  cliStart,
  density,
  engines,
  fs,
  net,
  sealedVolume,
  pull,
  build,
  verify,
  verifyImage,
  attest,
  broker,
  confidentialBoot,
  instructions,
];

const LATEST = join(import.meta.dirname, '../build/bench/latest.json');

function say(text: string): void {
  console.error(`bench: ${text}`);
}

/** Aborted by a signal: the running benchmark then ends and cleans up. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  // A terminal that has gone takes no words, and cleaning up goes on without them.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) say('interrupted; cleaning up …');
      process.exitCode = 128 + constants.signals[name];
      controller.abort();
    });
  }
  return controller.signal;
}

async function measure(
  { names, samples }: BenchArguments,
  signal: AbortSignal,
): Promise<readonly BenchmarkResult[]> {
  const results: BenchmarkResult[] = [];
  for (const benchmark of BENCHMARKS.filter(({ name }) => names.includes(name))) {
    if (signal.aborted) break;
    say(`${benchmark.name} …`);
    try {
      results.push(...(await benchmark.run({ samples, signal })));
    } catch (error) {
      if (signal.aborted && error === signal.reason) break;
      say(`${benchmark.name} was not measured: ${error instanceof Error ? error.message : error}`);
      process.exitCode ??= 1;
    }
  }
  return results;
}

/**
 * Runs `use` while all temporary files of this process lie in one directory, which is gone
 * afterwards.
 */
async function inTemporaryDirectory<T>(use: () => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-bench-'));
  // Programs of other users start from files in it.
  chmodSync(directory, 0o755);
  process.env['TMPDIR'] = directory;
  try {
    return await use();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Figures that were measured are not lost because this fails. */
async function describe(): Promise<MachineDescription> {
  try {
    return await describeMachine();
  } catch (error) {
    say(`the machine is not described: ${error instanceof Error ? error.message : error}`);
    process.exitCode ??= 1;
    return {};
  }
}

function report(
  machine: MachineDescription,
  results: readonly BenchmarkResult[],
  json: boolean,
): void {
  const document = asJson(machine, results);
  if (json) {
    console.log(document);
    return;
  }
  console.log(table(results));
  mkdirSync(dirname(LATEST), { recursive: true });
  writeFileSync(LATEST, `${document}\n`);
  say(`the same as JSON is in ${LATEST}`);
}

async function main(): Promise<void> {
  const asked = parseArguments(
    process.argv.slice(2),
    BENCHMARKS.map(({ name }) => name),
  );
  if (process.getuid?.() !== 0) {
    throw new UsageError('Benchmarks run as root, as podman beside them does.');
  }
  const signal = interruption();
  await inTemporaryDirectory(async () => {
    const results = await measure(asked, signal);
    if (signal.aborted) return;
    const machine = await describe();
    report(machine, results, asked.json);
  });
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(error.message);
  process.exitCode = 2;
}
