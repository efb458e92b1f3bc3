// npm run check: everything that is read off the sources without running them.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
      'src',
      'test',
      'bench',
      'scripts',
    ],
  },
  { name: 'dead code', run: [bin('knip'), '--no-progress'] },
  { name: 'gofmt', run: ['gofmt', '-l', '.'], cwd: agent, silent: true },
  // With the tests that run in a guest.
  { name: 'go vet', run: ['go', 'vet', '-tags', 'guest', './...'], cwd: agent, env: goEnv },
  {
    name: 'staticcheck',
    run: ['go-staticcheck', '-tags', 'guest', './...'],
    cwd: agent,
    env: goEnv,
  },
];

/** Runs all checks and returns the names of those that failed. */
export function runChecks() {
  const failed = [];
  for (const check of CHECKS) {
    const [program, ...args] = check.run;
    const result = spawnSync(program, args, {
      cwd: check.cwd ?? root,
      env: { ...process.env, NO_COLOR: '1', ...check.env },
      encoding: 'utf8',
      timeout: 600_000,
    });
    const ok = result.status === 0 && !(check.silent === true && result.stdout !== '');
    console.log(`${ok ? '✓' : '✗'} ${check.name}`);
    if (ok) continue;
    failed.push(check.name);
    console.log(
      `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`.trimEnd(),
    );
  }
  return { passed: CHECKS.length - failed.length, failed };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = runChecks().failed.length === 0 ? 0 : 1;
}
