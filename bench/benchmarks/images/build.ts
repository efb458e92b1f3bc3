/**
 * Builds of an image by `a3s-box build`, in a builder that runs, against Buildah on the host; and a
 * build without a new step that has to start the builder from its memory snapshot.
 *
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import { until } from '../../../test/e2e/processes.ts';
import { Buildah } from '../../../test/peers/buildah.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { alone, type BenchmarkResult, compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

/** A domain, so that both take the name for the same. */
const BASE = 'build.example/base:1';
const RESULT = 'build.example/built:1';
const BUILDER = 'a3s-builder-default';

const MOST_SAMPLES = 5;
/** Of a builder's boot, and of the builds of both. */
const BUILD_MS = 600_000;
const IDLE_SECONDS = 2;

const FILES = 200;
const PACKAGES = 300;
/** What a project does: its packages, then its sources, then what is made of both. */
const DOCKERFILE = `FROM ${BASE}
WORKDIR /app
COPY packages /app/packages
RUN while read -r name; do mkdir -p lib/$name && echo $name > lib/$name/index; done < packages
COPY src /app/src
RUN for file in src/*; do sha256sum $file; done > digests
RUN tar -cf app.tar src lib digests
CMD ["sha256sum", "app.tar"]
`;

/** Writes one source file anew, so that what depends on it is made again. */
type Change = () => void;

function makeContext(directory: string): { readonly context: string; readonly change: Change } {
  const context = join(directory, 'context');
  mkdirSync(join(context, 'src'), { recursive: true });
  writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
  const names = Array.from({ length: PACKAGES }, (_, n) => `package-${n}`);
  writeFileSync(join(context, 'packages'), `${names.join('\n')}\n`);
  for (let n = 0; n < FILES; n += 1) {
    writeFileSync(join(context, 'src', `${n}.c`), `int f${n}(void) { return ${n}; }\n`.repeat(100));
  }
  let changes = 0;
  const change = (): void => {
    changes += 1;
    writeFileSync(join(context, 'src/0.c'), `int f0(void) { return ${changes}; }\n`.repeat(100));
  };
  return { context, change };
}

interface Builders {
  readonly ours: (...args: readonly string[]) => Promise<number>;
  readonly theirs: (...args: readonly string[]) => Promise<number>;
}

async function against(asked: Asked, { ours, theirs }: Builders, change: Change) {
  const results: BenchmarkResult[] = [];
  const row = async (name: string, aim: string, before: Change, ...args: readonly string[]) => {
    const figures = await inTurns<'ours' | 'theirs'>(asked, {
      ours: async () => {
        before();
        return await ours(...args);
      },
      theirs: async () => {
        before();
        return await theirs(...args);
      },
    });
    const peer = { name: 'buildah bud', samples: figures.theirs };
    results.push(compared(name, 'ms', figures.ours, peer, aim));
  };
  const nothing: Change = () => undefined;
  await row('build-cold', '', nothing, '--no-cache');
  await row('build-cached', '<= 4', nothing);
  await row('build-incremental', '', change);
  return results;
}

/** From the command to its end, the start of the builder from its memory included. */
async function restored(
  actor: Actor,
  ours: Builders['ours'],
  { samples, signal }: Asked,
): Promise<BenchmarkResult> {
  await actor.stopServer();
  await actor.ok(['ps'], { env: { A3S_BUILDER_IDLE: String(IDLE_SECONDS) } });
  const record = join(actor.home, 'builders/saved/default/builder.json');
  const figures: number[] = [];
  while (figures.length < samples) {
    signal.throwIfAborted();
    await until('the builder is saved', () => existsSync(record), BUILD_MS);
    figures.push(await ours());
    const start = await actor.ok(['inspect', '--format', '{{.Machine.Start}}', BUILDER]);
    if (start !== 'snapshot') throw new Error('Cannot be measured so: the builder booted');
  }
  return alone('build-restored', 'ms', figures, '<= 6000');
}

export const build: Benchmark = {
  name: 'build',
  run: ({ samples, signal }) =>
    withActor(async ({ actor }) => {
      const asked = { samples: Math.min(samples, MOST_SAMPLES), signal };
      const { context, change } = makeContext(actor.directory);
      const archive = join(actor.directory, 'base.tar');
      await actor.ok(['tag', BUSYBOX, BASE]);
      await actor.ok(['save', '--output', archive, BASE]);
      const buildah = new Buildah();
      try {
        await buildah.load(archive);
        const words = ['build', '--quiet', '--tag', RESULT];
        const ours: Builders['ours'] = (...args) =>
          timed(() => actor.ok([...words, ...args, context], { deadlineMs: BUILD_MS }));
        const theirs: Builders['theirs'] = (...args) =>
          timed(() => buildah.build(args, context, RESULT));
        const results = await against(asked, { ours, theirs }, change);
        return [...results, await restored(actor, ours, asked)];
      } finally {
        buildah.remove();
      }
    }),
};
