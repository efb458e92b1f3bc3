/**
 * Throughput, latency, connections and requests of nginx: through a published port, from a box
 * outwards, and from box to box, in the default network and in one of their own, against podman.
 *
 * A program at the client's end takes the time, so that execs have no part in it. The processor
 * time is that of the whole machine, guests included, and says something where nothing else runs.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Actor, finish } from '../../../test/e2e/actor.ts';
import { debianRoot } from '../../../test/images/debian-root.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { milliseconds } from '../../fs-work.ts';
import { inTurns } from '../../in-turns.ts';
import { type Engine, makePlace, makeTools, type NetPlace, type Route } from '../../net-place.ts';
import { Podman } from '../../peers/podman.ts';
import { type BenchmarkResult, compared } from '../../statistics.ts';
import { warm } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

/** Rounds are long. */
const MOST_SAMPLES = 5;
const COMMAND_MS = 300_000;
const IMAGE = 'localhost/bench/nginx:1';
/** What the kernel counts processor time in. */
const TICK_MS = 10;

/** How much of each kind of work, and the figure that it gives. */
const WORK = {
  throughput: { count: 64, unit: 'ms/GiB', each: 1 / 16 },
  download: { count: 64, unit: 'ms/GiB', each: 1 / 16 },
  latency: { count: 500, unit: 'ms', each: 500 },
  connections: { count: 100, unit: 'ms', each: 100 },
  requests: { count: 400, unit: 'ms', each: 400 },
} as const;
type Verb = keyof typeof WORK;

async function figureOf(verb: Verb, { client, address, port }: Route): Promise<number> {
  const { count, each } = WORK[verb];
  return (await milliseconds(client, [verb, address, port, String(count)])) / each;
}

async function compare(
  asked: Asked,
  name: string,
  verb: Verb,
  { ours, theirs }: { readonly ours: Route; readonly theirs: Route },
): Promise<BenchmarkResult> {
  const figures = await inTurns(asked, {
    theirs: () => figureOf(verb, theirs),
    ours: () => figureOf(verb, ours),
  });
  const peer = { name: 'podman', samples: figures.theirs };
  return said(compared(`net-${name}-${verb}`, WORK[verb].unit, figures.ours, peer, ''));
}

/** All of them take long: each is shown as soon as it was measured. */
function said(row: BenchmarkResult): BenchmarkResult {
  console.error(`bench: ${row.name}: ${row.p50.toPrecision(3)} ${row.unit}, ${row.against}`);
  return row;
}

/** Processor time that this machine has spent, in milliseconds. */
function busy(): number {
  const [, times = ''] = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = times.split(' ').map(Number);
  return TICK_MS * (user + nice + system + irq + softirq);
}

async function processorTime(verb: Verb, route: Route): Promise<number> {
  const before = busy();
  await figureOf(verb, route);
  return (busy() - before) / WORK[verb].each;
}

/** What a network of their own takes of the host's processors, against the default one. */
async function processorRows(asked: Asked, { routes }: NetPlace): Promise<BenchmarkResult[]> {
  const rows: BenchmarkResult[] = [];
  for (const way of ['published', 'outbound'] as const) {
    const [own, usual] = [routes[`network-${way}`], routes[`default-${way}`]];
    if (own === undefined || usual === undefined) throw new Error(`there is no ${way}`);
    const figures = await inTurns(asked, {
      usual: () => processorTime('throughput', usual),
      own: () => processorTime('throughput', own),
    });
    const peer = { name: 'default network', samples: figures.usual };
    rows.push(said(compared(`net-processor-${way}`, 'ms/GiB', figures.own, peer, '<= 1')));
  }
  return rows;
}

async function measure(asked: Asked, ours: NetPlace, theirs: NetPlace): Promise<BenchmarkResult[]> {
  const rows: BenchmarkResult[] = [];
  const kinds = [
    [ours.routes, theirs.routes, ['throughput', 'download', 'latency', 'connections']],
    [ours.pages, theirs.pages, ['requests']],
  ] as const;
  for (const [own, other, verbs] of kinds) {
    for (const [name, route] of Object.entries(own)) {
      const peer = other[name];
      if (peer === undefined) throw new Error(`podman has no ${name}`);
      for (const verb of verbs) {
        rows.push(await compare(asked, name, verb, { ours: route, theirs: peer }));
      }
    }
  }
  return [...rows, ...(await processorRows(asked, ours))];
}

function engineOf(actor: Actor): Engine {
  const options = { deadlineMs: COMMAND_MS };
  return {
    ok: (args) => actor.ok(args, options),
    run: (args) => actor.ok(['run', ...args], options),
    beside: async ([program = '', ...args]) => {
      const { code, stdout, stderr } = await finish(spawn(program, args), options);
      if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${code}\n${stderr}`);
      return stdout;
    },
    image: IMAGE,
  };
}

export const net: Benchmark = {
  name: 'net',
  run: ({ samples, signal }) =>
    withActor(({ actor, archive }) =>
      Podman.with(archive, async (podman) => {
        const asked = { samples: Math.min(samples, MOST_SAMPLES), signal };
        const root = await debianRoot({ name: 'nginx', packages: ['nginx-light'] });
        const tools = join(actor.directory, 'tools');
        makeTools(tools);
        await warm(actor);
        await actor.ok(['import', root, IMAGE], { deadlineMs: COMMAND_MS });
        await podman.ok(['import', root, IMAGE]);
        const ours = engineOf(actor);
        const theirs: Engine = {
          ok: (args) => podman.ok(args),
          run: (args) => podman.run(args),
          beside: (command) => podman.beside(command),
          image: IMAGE,
        };
        try {
          const own = await makePlace(ours, tools);
          return await measure(asked, own, await makePlace(theirs, tools));
        } finally {
          // Its server on this host; podman's ends with its namespaces.
          await ours.beside(['pkill', '-f', `^${join(tools, 'net-work')} serve`]);
        }
      }),
    ),
};
