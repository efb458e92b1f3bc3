// npm test after its set-up: runs the stages one after another and closes with one line that counts them all.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runChecks } from './check.mjs';
import { fuzzParsers } from './fuzz.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const reports = join(root, 'build/test');

/** The tests of boxes execute their own program where there is no dynamic loader, and -race links with the system's C library. */
const RACE = ['-race', '-tags=netgo,osusergo', '-ldflags=-linkmode=external -extldflags=-static'];

/** How long each fuzzer searches. */
const FUZZ_SECONDS = Number(process.env.FUZZ_SECONDS ?? '1');

/** Names of what failed, for the end of the run. */
const failures = [];

const STAGES = {
  check: () => {
    const { passed, failed } = runChecks();
    failures.push(...failed);
    return { passed, failed: failed.length, skipped: 0 };
  },
  go: goTests,
  unit: () => vitest('unit'),
  attestation: () => vitest('attestation', ['--coverage']),
  fuzz: async () => ({ ...(await fuzzParsers(FUZZ_SECONDS)), skipped: 0 }),
  vm: () => vitest('vm'),
};

function run(program, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, options);
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
    if (options.onLine !== undefined) {
      createInterface({ input: child.stdout }).on('line', options.onLine);
    }
  });
}

async function vitest(project, options = []) {
  const report = join(reports, `${project}.json`);
  rmSync(report, { force: true });
  const code = await run(
    join(root, 'node_modules/.bin/vitest'),
    [
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile=${report}`,
      ...options,
    ],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      // Programs that tests run from their source leave no compiled ones behind.
      env: { ...process.env, NODE_EXTRA_CA_CERTS: '', TSX_DISABLE_CACHE: '1' },
    },
  );
  const counts = JSON.parse(readFileSync(report, 'utf8'));
  const failed = counts.numFailedTests;
  failures.push(...failuresIn(counts));
  return {
    passed: counts.numPassedTests,
    // A file that does not load, or an error outside any test, fails the run without a failed test.
    failed: code !== 0 && failed === 0 ? Math.max(1, counts.numFailedTestSuites) : failed,
    skipped: counts.numPendingTests + counts.numTodoTests,
  };
}

/** Each failed test by its file and name; a file that does not load, by itself. */
function failuresIn({ testResults }) {
  return testResults.flatMap(({ name, status, assertionResults }) => {
    const file = relative(root, name);
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (failed.length === 0) return status === 'failed' ? [file] : [];
    return failed.map((test) => `${file} > ${test.fullName}`);
  });
}

async function goTests() {
  const counts = { pass: 0, fail: 0, skip: 0 };
  const output = new Map();
  const code = await goTest([...RACE, '-json', './...'], (line) => {
    const event = parse(line);
    if (event === undefined) return;
    const key = `${event.Package} ${event.Test ?? ''}`;
    if (event.Action === 'output') output.set(key, (output.get(key) ?? '') + event.Output);
    if (event.Test !== undefined && event.Action in counts) counts[event.Action] += 1;
    if (event.Action === 'fail') {
      console.log(`✗ ${key}\n${output.get(key) ?? ''}`);
      failures.push(key.trimEnd());
    }
    if (event.Action === 'skip' && event.Test !== undefined)
      console.log(`- ${key}\n${output.get(key) ?? ''}`);
    if (event.Action === 'pass' && event.Test === undefined) console.log(`✓ ${event.Package}`);
  });
  const fuzz = await goFuzz();
  return {
    passed: counts.pass + fuzz.passed,
    failed: (code !== 0 && counts.fail === 0 ? 1 : counts.fail) + fuzz.failed,
    skipped: counts.skip,
  };
}

function goTest(args, onLine) {
  return run('go', ['test', ...args], {
    cwd: join(root, 'native/agent'),
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local' },
    onLine,
  });
}

/** Go runs one fuzz target at a time. */
async function goFuzz() {
  const targets = [];
  let directory = [];
  await goTest(['-list', '^Fuzz', './...'], (line) => {
    if (/^Fuzz/.test(line)) directory.push(line);
    const done = /^ok\s+(\S+)/.exec(line);
    if (done !== null) {
      for (const target of directory) targets.push({ package: done[1], target });
      directory = [];
    }
  });
  let failed = 0;
  for (const { package: path, target } of targets) {
    const lines = [];
    const code = await goTest(
      [path, '-run=^$', `-fuzz=^${target}$`, `-fuzztime=${FUZZ_SECONDS}s`, '-parallel=2'],
      (line) => lines.push(line),
    );
    console.log(`${code === 0 ? '✓' : '✗'} ${target} (${FUZZ_SECONDS} s)`);
    if (code === 0) continue;
    failed += 1;
    failures.push(`${path} ${target}`);
    console.log(lines.join('\n'));
  }
  return { passed: targets.length - failed, failed };
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    // Build errors are plain text between the events.
    console.log(line);
    return undefined;
  }
}

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in STAGES));
if (unknown.length > 0) {
  console.error(
    `Unknown stage ${unknown.join(', ')}: choose from ${Object.keys(STAGES).join(', ')}.`,
  );
  process.exit(2);
}
mkdirSync(reports, { recursive: true });
const total = { passed: 0, failed: 0, skipped: 0 };
for (const [name, stage] of Object.entries(STAGES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(`\n==> ${name}`);
  const started = Date.now();
  const counts = await stage();
  for (const key of Object.keys(total)) total[key] += counts[key];
  console.log(
    `    ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${Math.round((Date.now() - started) / 1000)} s`,
  );
}
if (failures.length > 0)
  console.log(`\nFailed:\n${failures.map((name) => `✗ ${name}\n`).join('')}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
console.log(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`,
);
