// npm run check: everything that is read off the sources without running them.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reportPath } from './report-path.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const agent = join(root, 'native/agent');
const bin = (name) => join(root, 'node_modules/.bin', name);
const goEnv = { GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' };

/** Each check by its name; one fails when its program does, or prints where it should be silent. */
const CHECKS = [
  { name: 'types', run: [bin('tsc'), '-b'] },
  { name: 'format and lint', run: [bin('biome'), 'ci', '--error-on-warnings', '.'] },
  {
    name: 'imports go down, without cycles',
    run: [
      bin('depcruise'),
      '--config',
      '.dependency-cruiser.cjs',
      'policies',
      'attestation',
      'ratls',
      'sealing',
      'native/krun',
      'src',
      'test',
      'bench',
      'scripts',
    ],
  },
  {
    name: 'prose in 100 columns, titles with a subject, links that lead somewhere',
    run: [process.execPath, '--import', 'tsx', 'scripts/prose/main.ts'],
  },
  { name: 'dead code', run: [bin('knip'), '--no-progress'] },
  { name: 'gofmt', run: ['gofmt', '-l', '.'], cwd: agent, silent: true },
  // With the tests that run in a guest.
  { name: 'go vet', run: ['go', 'vet', '-tags', 'guest', './...'], cwd: agent, env: goEnv },
  {
    name: 'go vet for arm64',
    run: ['go', 'vet', '-tags', 'guest', './...'],
    cwd: agent,
    env: { ...goEnv, GOARCH: 'arm64', CGO_ENABLED: '0' },
  },
  {
    name: 'staticcheck',
    run: ['go-staticcheck', '-tags', 'guest', './...'],
    cwd: agent,
    env: goEnv,
  },
];

/** Runs a check, says how it went, and returns what `npm test` reads. */
function runCheck(check) {
  const [program, ...args] = check.run;
  const started = performance.now();
  const result = spawnSync(program, args, {
    cwd: check.cwd ?? root,
    env: { ...process.env, NO_COLOR: '1', ...check.env },
    encoding: 'utf8',
    timeout: 600_000,
  });
  const seconds = (performance.now() - started) / 1000;
  const ok = result.status === 0 && !(check.silent === true && result.stdout !== '');
  console.log(`${ok ? '✓' : '✗'} ${check.name}`);
  if (ok) return { name: check.name, seconds };
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`;
  console.log(output.trimEnd());
  return { name: check.name, seconds, failure: output };
}

const results = CHECKS.map(runCheck);
const report = reportPath(process.argv);
if (report !== undefined) writeFileSync(report, JSON.stringify(results));
process.exitCode = results.some(({ failure }) => failure !== undefined) ? 1 : 0;
