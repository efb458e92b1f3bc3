/**
 * `npm test -- --changed`: the tests that a change can reach.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { merged, type Plan, reachOf } from './reach.ts';
import { ROOT } from './run.ts';

const OUTPUT = { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
const PROJECTS = ['unit', 'attestation', 'host', 'vm'] as const;

/** What differs from `since` in the working tree, what is not tracked yet included. */
export function changedPaths(since: string): readonly string[] {
  const git = (...args: string[]): string[] =>
    execFileSync('git', args, OUTPUT)
      .split('\0')
      .filter((path) => path !== '');
  return [
    // Against where the branch began, and both names of what was renamed.
    ...git('diff', '--name-only', '--no-renames', '-z', '--merge-base', since),
    ...git('ls-files', '--others', '--exclude-standard', '-z'),
  ];
}

/** The test files that import what changed, at any remove. */
function importers(since: string): Plan {
  const plan: Record<string, string[]> = {};
  for (const project of PROJECTS) {
    const args = ['list', '--filesOnly', '--json', '--changed', since, '--project', project];
    const listed = execFileSync(join(ROOT, 'node_modules/.bin/vitest'), args, OUTPUT);
    const files = JSON.parse(listed.slice(listed.indexOf('['))) as readonly { file: string }[];
    plan[project] = files.map(({ file }) => relative(ROOT, file));
  }
  return plan;
}

export function planOf(since: string): Plan {
  return merged(reachOf(changedPaths(since)), importers(since));
}
