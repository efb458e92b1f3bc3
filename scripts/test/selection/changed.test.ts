import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../arguments.ts';
import { changedPaths } from './changed.ts';

let root: string;

function git(...args: readonly string[]): void {
  const who = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
  execFileSync('git', [...who, ...args], { cwd: root, stdio: 'ignore' });
}

function write(name: string, text: string): void {
  writeFileSync(join(root, name), text);
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-changed-'));
  git('init', '--initial-branch=main');
  for (const name of ['kept', 'edited', 'renamed', '.gitignore']) write(name, `${name}\n`);
  write('.gitignore', 'ignored\n');
  git('add', '--all');
  git('commit', '--message', 'first');
  git('checkout', '-b', 'branch');
  write('committed', 'on the branch');
  git('add', '--all');
  git('commit', '--message', 'second');
  git('checkout', 'main');
  write('kept', 'changed on main alone');
  git('commit', '--all', '--message', 'third');
  git('checkout', 'branch');
  write('edited', 'not committed');
  renameSync(join(root, 'renamed'), join(root, 'other name'));
  write('ignored', '');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the paths that changed', () => {
  it('lists uncommitted paths: edited, renamed by both names, and new, but not ignored ones', () => {
    expect(changedPaths('HEAD', root).toSorted()).toEqual(['edited', 'other name', 'renamed']);
  });

  it('lists the paths of the branch too, but not those that changed on its base', () => {
    const paths = changedPaths('main', root).toSorted();
    expect(paths).toEqual(['committed', 'edited', 'other name', 'renamed']);
  });

  it('refuses a revision that does not exist', () => {
    for (const since of ['no-such-branch', '--output=x']) {
      expect(() => changedPaths(since, root), since).toThrow(UsageError);
    }
  });
});
