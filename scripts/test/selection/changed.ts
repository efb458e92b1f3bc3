/**
 * `npm test -- --changed`: the tests that a change can reach.
 *
 * @module
 */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { UsageError } from '../arguments.ts';
import { ROOT } from '../run.ts';
import { filesOf } from '../vitest.ts';
import { merged, type Plan, reachOf } from './reach.ts';

const OUTPUT: ExecFileSyncOptionsWithStringEncoding = {
  encoding: 'utf8',
  maxBuffer: 2 ** 26,
  stdio: ['ignore', 'pipe', 'pipe'],
};
const PROJECTS = ['unit', 'attestation', 'host', 'kvm', 'vm'] as const;

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
  const files = PROJECTS.map((project) => [project, filesOf(project, '--changed', since)] as const);
  return Object.fromEntries(files);
}

export function planOf(since: string): Plan {
  return merged(reachOf(changedPaths(since)), importers(since));
}
