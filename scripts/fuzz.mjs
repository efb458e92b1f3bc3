// Fuzzing of each parser that a relying party has, with the test vectors as seeds: each target gets
// the seeds, and where FUZZ_SECONDS is set, so many seconds of inputs that are guided by coverage.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { reportPath } from './report-path.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const guided = join(root, 'test/fuzz/guided');
const work = join(root, 'build/fuzz');
const reader = join(root, 'attestation/src/testing/read-vectors.ts');
const jazzer = join(guided, 'node_modules/@jazzer.js/core/dist/cli.js');

/** One input may not take longer than this, in seconds, nor more memory than this, in MiB. */
const LIMITS = ['-timeout=5', '-rss_limit_mb=2048', '-max_len=70000'];

/**
 * Runs every target for so long, or on its seeds alone for none, and returns what `npm test` reads.
 */
async function fuzzParsers(seconds) {
  const targets = readdirSync(join(guided, 'targets')).map((file) => file.replace(/\.ts$/, ''));
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'package.json'), '{"type":"commonjs"}\n');
  await bundle(['seeds.ts', ...targets.map((name) => `targets/${name}.ts`)]);
  const seeded = spawnSync(process.execPath, [join(work, 'seeds.js'), work], {
    cwd: root,
    encoding: 'utf8',
  });
  if (seeded.status !== 0) throw new Error(`Cannot lay out seeds: ${seeded.stderr}`);
  return targets.map((target) => {
    const started = performance.now();
    const output = seconds > 0 ? fuzzTarget(target, seconds) : replaySeeds(target);
    const took = { name: target, seconds: (performance.now() - started) / 1000 };
    const how = seconds > 0 ? `${seconds} s, guided by coverage` : 'its seeds';
    console.log(`${output === '' ? '✓' : '✗'} ${target} (${how})`);
    if (output === '') return took;
    console.log(output);
    return { ...took, failure: output };
  });
}

function bundle(entries) {
  return build({
    entryPoints: entries.map((entry) => join(guided, entry)),
    outdir: work,
    outbase: guided,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    conditions: ['a3s-source'],
    // CommonJS has no such thing; the one module that asks is the reader of the vectors.
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(reader).href) },
    logLevel: 'warning',
  });
}

/**
 * Empty if the target takes or refuses no bytes at all, and each of its seeds; else what it does
 * otherwise.
 */
function replaySeeds(target) {
  const { fuzz } = createRequire(import.meta.url)(join(work, 'targets', target));
  const corpus = join(work, 'corpus', target);
  const names = existsSync(corpus) ? readdirSync(corpus) : [];
  const seeds = names
    .filter((name) => name.startsWith('seed-'))
    .map((name) => [name, readFileSync(join(corpus, name))]);
  for (const [name, bytes] of [['no bytes', Buffer.alloc(0)], ...seeds]) {
    try {
      fuzz(bytes);
    } catch (error) {
      return `${name}: ${error.stack}`;
    }
  }
  return '';
}

/** Empty if the target held, else what it printed. */
function fuzzTarget(target, seconds) {
  const found = join(work, 'found', target);
  rmSync(found, { recursive: true, force: true });
  mkdirSync(found, { recursive: true });
  const corpus = join(work, 'corpus', target);
  mkdirSync(corpus, { recursive: true });
  const run = spawnSync(
    process.execPath,
    [
      jazzer,
      join(work, 'targets', target),
      corpus,
      '--sync',
      '-i',
      work,
      '--disableBugDetectors',
      '.*',
      '--',
    ]
      .concat(LIMITS)
      .concat(`-max_total_time=${seconds}`, `-artifact_prefix=${found}/`),
    { cwd: work, encoding: 'utf8', timeout: (seconds + 120) * 1000 },
  );
  if (run.status === 0) return '';
  return `${run.stdout}${run.stderr}${run.error?.message ?? ''}\ninputs are kept in ${found}`;
}

const results = await fuzzParsers(Number(process.env.FUZZ_SECONDS ?? '0'));
const report = reportPath(process.argv);
if (report !== undefined) writeFileSync(report, JSON.stringify(results));
process.exitCode = results.some(({ failure }) => failure !== undefined) ? 1 : 0;
