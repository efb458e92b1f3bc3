/**
 * `npm test -- --changed`: the tests that a change can reach.
 *
 * @module
 */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { UsageError } from './arguments.ts';
import { merged, type Plan, reachOf } from './reach.ts';
import { ROOT } from './run.ts';

const OUTPUT: ExecFileSyncOptionsWithStringEncoding = {
  encoding: 'utf8',
  maxBuffer: 2 ** 26,
  stdio: ['ignore', 'pipe', 'pipe'],
};
const PROJECTS = ['unit', 'attestation', 'host', 'vm'] as const;

/** What differs from `since` in a working tree, what is not tracked yet included. */
export function changedPaths(since: string, root = ROOT): readonly string[] {
  const git = (...args: string[]): string => execFileSync('git', args, { ...OUTPUT, cwd: root });
  const paths = (...args: string[]): string[] =>
    git(...args)
      .split('\0')
      .filter((path) => path !== '');
  try {
    git('rev-parse', '--verify', '--end-of-options', `${since}^{commit}`);
  } catch {
    throw new UsageError(
      `cannot test what changed since ${since}: there is no such commit here.\nName a commit or a branch.`,
    );
  }
  return [
    // Against where the branch began, and both names of what was renamed.
    ...paths('diff', '--name-only', '--no-renames', '-z', '--merge-base', since),
    ...paths('ls-files', '--others', '--exclude-standard', '-z'),
  ];
}

/** The test files that import what changed, at any remove. */
function importers(since: string): Plan {
  const plan: Record<string, string[]> = {};
  for (const project of PROJECTS) {
    const args = ['list', '--filesOnly', '--json', '--changed', since, '--project', project];
    const vitest = join(ROOT, 'node_modules/.bin/vitest');
    const listed = execFileSync(vitest, args, { ...OUTPUT, cwd: ROOT });
    const files = JSON.parse(listed.slice(listed.indexOf('['))) as readonly { file: string }[];
    plan[project] = files.map(({ file }) => relative(ROOT, file));
  }
  return plan;
}

export function planOf(since: string): Plan {
  return merged(reachOf(changedPaths(since)), importers(since));
}
