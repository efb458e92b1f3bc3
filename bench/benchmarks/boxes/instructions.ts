/**
 * Counts the instructions that a run, an exec and a stop take on an emulated host with KVM, on the
 * host and in the guest. Against the last version's, and of run and exec against runc's on the same
 * host.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import { until } from '../../../test/e2e/processes.ts';
import { buildImage, busyboxImage, dockerArchive } from '../../../test/images/build-image.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import {
  asBaseline,
  type Baseline,
  type Medians,
  otherPrograms,
  programsHere,
  readBaseline,
} from '../../instructions/baseline.ts';
import { CountingHost } from '../../instructions/counting-host.ts';
import { type Counts, total } from '../../instructions/counts.ts';
import { PART_OF, PARTS, type Part, STEPS, type Step } from '../../instructions/parts.ts';
import { alone, type BenchmarkResult, compared, percentile } from '../../statistics.ts';

const NAME = 'life';
/** A program that ends at once on a signal. */
const PROGRAM = ['sh', '-c', 'trap "exit 0" TERM; echo here; while :; do sleep 1000 & wait; done'];
/** A run under emulation takes half a minute. */
const MOST_SAMPLES = 5;
/** For a first line; each look at the log takes seconds under emulation. */
const PRINTED_MS = 300_000;
const MILLION = 1_000_000;
const BUNDLE = '/run/bundle';
const LATEST = join(import.meta.dirname, '../../../build/bench/instructions.json');
/** In shares of the last version's. A guess: how far runs of the same code differ is not known. */
const AIM = '<= 1.03';

type Turn = Readonly<Record<Step | 'runc run' | 'runc exec', Counts>>;

export const instructions: Benchmark = {
  name: 'instructions',
  async run(asked) {
    const baseline = readBaseline();
    for (const difference of otherPrograms(baseline.programs, programsHere())) {
      console.error(`bench: instructions: ${difference}`);
    }
    const turns = await measured(asked);
    writeLatest(turns);
    return STEPS.flatMap((step) => rows(turns, step, baseline));
  },
};

async function measured({ samples, signal }: Asked): Promise<readonly Turn[]> {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-instructions-'));
  try {
    await using host = await CountingHost.start(directory);
    await prepare(host, signal);
    const asked = { samples: Math.min(samples, MOST_SAMPLES), signal };
    return (await inTurns(asked, { turn: () => turn(host, asked.signal) })).turn;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * The image, a template, and the same programs in a bundle of runc's, in which a container is left
 * running.
 */
async function prepare(host: CountingHost, signal: AbortSignal): Promise<void> {
  const archive = dockerArchive([buildImage(busyboxImage(BUSYBOX))]);
  await host.box(['load', '--quiet'], { stdin: archive });
  const accelerator = await host.box(['info', '--format', '{{json .engines}}']);
  if (!/"name":"kvm","available":true/.test(accelerator)) {
    throw new Error(`boxes of the emulated host do not run with KVM: ${accelerator}`);
  }
  signal.throwIfAborted();
  await host.box(['template', 'warm']);
  await host.sh(`
    mkdir -p ${BUNDLE}/rootfs/bin ${BUNDLE}/long; cd ${BUNDLE}
    cp /usr/bin/busybox rootfs/bin; for name in sh true sleep; do ln -s busybox rootfs/bin/$name; done
    runc spec
    sed -i 's/"terminal": true/"terminal": false/; s#"path": "rootfs"#"path": "${BUNDLE}/rootfs"#' config.json
    sed 's/"sh"/"sleep", "1000000"/' config.json >long/config.json
    sed -i 's/"sh"/"true"/' config.json
    runc run --detach --bundle long long </dev/null >/dev/null 2>&1
  `);
}

async function turn(host: CountingHost, signal: AbortSignal): Promise<Turn> {
  const run = await host.measureBox(['run', '--rm', '--network', 'none', BUSYBOX, 'true']);
  const options = ['--detach', '--name', NAME, '--network', 'none'];
  await host.box(['run', ...options, BUSYBOX, ...PROGRAM]);
  const printed = async (): Promise<boolean> => {
    signal.throwIfAborted();
    return (await host.box(['logs', NAME])) === 'here';
  };
  await until('the box has printed its line', printed, PRINTED_MS);
  const exec = await host.measureBox(['exec', NAME, 'true']);
  const stop = await host.measureBox(['stop', NAME]);
  await host.box(['rm', NAME]);
  return {
    ...{ run, exec, stop },
    'runc run': await host.measure(['runc', 'run', '--bundle', BUNDLE, 'short']),
    'runc exec': await host.measure(['runc', 'exec', 'long', 'true']),
  };
}

/**
 * One row for each part, against the last version; one against runc; and by how much the samples
 * differ, where there are two.
 */
function rows(turns: readonly Turn[], step: Step, baseline: Baseline): readonly BenchmarkResult[] {
  const counts = turns.map((turn) => turn[step]);
  const name = `instructions-${step}`;
  const parts = PARTS.map((part) => {
    const [unit, size] = part === 'entries' ? ['', 1] : ['M', MILLION];
    const then = { name: baseline.version, samples: [baseline.medians[step][part] / size] };
    const samples = counts.map((counts) => PART_OF[part](counts) / size);
    return compared(part === 'all' ? name : `${name}-${part}`, unit, samples, then, AIM);
  });
  return [...parts, ...peer(turns, step), ...spread(`${name}-spread`, counts.map(total))];
}

/** One sample has no spread. */
function spread(name: string, samples: readonly number[]): readonly BenchmarkResult[] {
  if (samples.length < 2) return [];
  const range = Math.max(...samples) - Math.min(...samples);
  return [alone(name, '%', [(100 * range) / percentile(samples, 0.5)], '<= 5')];
}

function peer(turns: readonly Turn[], step: Step): readonly BenchmarkResult[] {
  if (step === 'stop') return [];
  const name = `runc ${step}` as const;
  const samples = turns.map((turn) => total(turn[name]) / MILLION);
  const ours = turns.map((turn) => total(turn[step]) / MILLION);
  return [compared(`instructions-${step}-peer`, 'M', ours, { name, samples }, '')];
}

/** As the baseline is: it takes its place when a version is released. */
function writeLatest(turns: readonly Turn[]): void {
  const of = (step: Step, part: Part): number =>
    percentile(
      turns.map((turn) => PART_OF[part](turn[step])),
      0.5,
    );
  const medians = Object.fromEntries(
    STEPS.map((step) => [step, Object.fromEntries(PARTS.map((part) => [part, of(step, part)]))]),
  ) as Medians;
  mkdirSync(dirname(LATEST), { recursive: true });
  writeFileSync(LATEST, `${JSON.stringify(asBaseline(medians), null, 2)}\n`);
  const samples = Object.fromEntries(STEPS.map((step) => [step, turns.map((turn) => turn[step])]));
  console.error(`bench: instructions: ${JSON.stringify(samples)}`);
}
