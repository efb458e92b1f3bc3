import { execFileSync } from 'node:child_process';
import { constants, rmSync } from 'node:fs';
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  open,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ShareWatch } from './share-watch.ts';

let directory: string;
let share: ShareWatch;
let limits: string[];
let walked: string[];
let budget: { directories: number };
let wake: () => void = () => undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'watch-'));
  limits = [];
  walked = [];
  budget = { directories: 100 };
});
afterEach(async () => {
  await share.close();
  await rm(directory, { recursive: true });
});

const at = (path: string): string => join(directory, 'root', path);

/** Watches the directory, or file, `root`. */
async function watchRoot(maxPending?: number): Promise<void> {
  const listener = {
    changed: () => wake(),
    walked: (work: string) => walked.push(work),
    limited: (reason: string) => limits.push(reason),
  };
  const root = await open(at(''), constants.O_RDONLY);
  share = new ShareWatch('bind-0', root, budget, listener, maxPending);
  await share.start();
}

/**
 * Waits until all of these paths are reported, and returns the others that were. An event of a
 * directory itself has a number for a name.
 */
async function reported(...paths: readonly string[]): Promise<string[]> {
  const missing = new Set(paths);
  const others: string[] = [];
  while (missing.size > 0) {
    for (const path of await nextChanges()) {
      const isMissing = missing.delete(path) || missing.delete(path.replace(/\/\d+$/, ''));
      if (!isMissing) others.push(path);
    }
  }
  return others;
}

async function nextChanges(limit = 100): Promise<string[]> {
  if (!share.isPending) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  return await share.take(limit);
}

/** What is reported until a file is, which is made now: events come in order. */
async function reportedBefore(name: string): Promise<string[]> {
  await writeFile(at(name), '');
  return await reported(name);
}

it('reports files that are made, written, renamed and removed, also in deep directories', async () => {
  await mkdir(at('a/b/c'), { recursive: true });
  await writeFile(at('a/b/c/file'), 'one');
  await watchRoot();
  expect(share.directories).toBe(4);
  await appendFile(at('a/b/c/file'), ' two');
  await reported('a/b/c/file');
  await writeFile(at('a/new'), '');
  await reported('a/new');
  await rename(at('a/new'), at('a/b/moved'));
  await reported('a/new', 'a/b/moved');
  await rm(at('a/b/moved'));
  await reported('a/b/moved');
  await chmod(at('a/b/c/file'), 0o600);
  await reported('a/b/c/file');
  expect(limits).toEqual([]);
});

it('reports a file that has taken the place of another one of the same size and time', async () => {
  await mkdir(at(''));
  await writeFile(at('file'), 'one');
  await writeFile(at('other'), 'two');
  const time = new Date(1_000_000_000_000);
  await utimes(at('file'), time, time);
  await utimes(at('other'), time, time);
  await watchRoot();
  await chmod(at('file'), 0o600);
  await chmod(at('other'), 0o600);
  await reported('file', 'other');
  await rename(at('other'), at('file'));
  await reported('file');
});

it('watches directories that are made later, and those that take the place of others', async () => {
  await mkdir(at('a'), { recursive: true });
  await watchRoot();
  await mkdir(at('a/b/c'), { recursive: true });
  await reported('a/b');
  expect(share.directories).toBe(4);
  await writeFile(at('a/b/c/file'), '');
  await reported('a/b/c/file');
  await rename(at('a/b'), at('moved'));
  await reported('moved', 'a/b');
  await writeFile(at('moved/c/file'), 'again');
  await reported('moved/c/file');
  await mkdir(join(directory, 'new/c'), { recursive: true });
  await rm(at('moved'), { recursive: true });
  await rename(join(directory, 'new'), at('moved'));
  await reported('moved');
  await writeFile(at('moved/c/other'), '');
  await reported('moved/c/other');
  expect(share.directories).toBe(4);
  await rm(at('moved'), { recursive: true });
  await reported('moved');
  expect(share.directories).toBe(2);
});

it('reports a change once, and nothing where a time is set to the value that it has', async () => {
  await mkdir(at('sub'), { recursive: true });
  await writeFile(at('sub/file'), 'one');
  await watchRoot();
  await appendFile(at('sub/file'), ' two');
  await writeFile(at('sub/gone'), '');
  await reported('sub/file', 'sub/gone');
  await rm(at('sub/gone'));
  await reported('sub/gone');
  // As the agent does with a file that was changed, and with the directory of one that is gone.
  for (const path of ['sub/file', 'sub']) {
    execFileSync('touch', ['-m', '-r', at(path), at(path)]);
  }
  expect(await reportedBefore('end')).toEqual([]);
});

it('reports each of several removals, though it looks at the directory after the last one', async () => {
  await mkdir(at(''));
  for (const name of ['one', 'two', 'three']) await writeFile(at(name), '');
  await watchRoot();
  for (const name of ['one', 'two', 'three']) rmSync(at(name));
  const removed = [await nextChanges(1), await nextChanges(1), await nextChanges(1)];
  expect(removed).toEqual([['one'], ['two'], ['three']]);
});

it('follows no link, and reports the link itself', async () => {
  await mkdir(at(''));
  await mkdir(join(directory, 'outside/below'), { recursive: true });
  await watchRoot();
  await symlink(join(directory, 'outside'), at('link'));
  await reported('link');
  await writeFile(join(directory, 'outside/file'), '');
  await writeFile(join(directory, 'outside/below/file'), '');
  expect(await reportedBefore('end')).toEqual([]);
  expect(share.directories).toBe(1);
  // A directory that is watched gives way to a link: nothing of what the link leads to is looked
  // at.
  await mkdir(at('sub/below'), { recursive: true });
  await reported('sub');
  await writeFile(at('sub/below/file'), '');
  await rename(at('sub'), join(directory, 'away'));
  await symlink(join(directory, 'outside'), at('sub'));
  expect(await reported('sub')).not.toContain('sub/below/file');
  expect(share.directories).toBe(1);
});

it('watches no more directories than it may, says so, and uses those that become free', async () => {
  budget.directories = 3;
  for (const name of ['a', 'b', 'c', 'd']) await mkdir(at(name), { recursive: true });
  await watchRoot();
  expect([share.directories, budget.directories]).toEqual([3, 0]);
  expect(limits).toEqual(['there are too many directories']);
  for (const name of ['a', 'b', 'c', 'd']) await rm(at(name), { recursive: true });
  await reported('a', 'b', 'c', 'd');
  expect([share.directories, budget.directories]).toEqual([1, 2]);
  await mkdir(at('e'));
  await reported('e');
  await writeFile(at('e/file'), '');
  await reported('e/file');
});

it('watches what is edited before node_modules and .git, wherever they are', async () => {
  budget.directories = 6;
  for (const path of ['.git/a/b', 'node_modules/a/b', 'p/node_modules/a/b', 'src/x', 'zone']) {
    await mkdir(at(path), { recursive: true });
  }
  await watchRoot();
  // The root, p, src, src/x and zone come first.
  for (const path of ['p', 'src/x', 'zone']) {
    await writeFile(at(`${path}/file`), '');
    await reported(`${path}/file`);
  }
  expect(share.directories).toBe(6);
  expect(new Set(limits)).toEqual(new Set(['there are too many directories']));
});

it('does not go deeper than 64 directories', async () => {
  await mkdir(at('d/'.repeat(70)), { recursive: true });
  await watchRoot();
  expect(share.directories).toBe(65);
  expect(limits).toEqual(['there are more than 64 directories in each other']);
});

it('leaves out what has a longer path than the kernel takes', async () => {
  // Made from within, as a guest can: the whole path is more than a system call takes.
  const made = Array.from({ length: 20 }, (_, index) => String(index % 10).repeat(255));
  await mkdir(at(''));
  execFileSync('sh', ['-c', 'for name; do mkdir $name; cd -P $name; done', 'sh', ...made], {
    cwd: at(''),
  });
  await watchRoot();
  // 16 names of 255 bytes with a slash each are 4095 bytes.
  expect(share.directories).toBe(17);
  expect(limits).toEqual(['the paths of some directories are too long']);
  const moves = made.slice(0, 16).map((name) => `cd -P ${name}`);
  execFileSync('sh', ['-c', [...moves, 'touch x', 'mkdir y'].join(' && ')], { cwd: at('') });
  expect(await reportedBefore('end')).toEqual([]);
  expect(share.directories).toBe(17);
  // Node removes nothing so deep.
  execFileSync('rm', ['-r', at('')]);
});

it('gives at most as many paths as it is asked for, and keeps the others', async () => {
  await mkdir(at(''));
  await watchRoot();
  for (let index = 0; index < 10; index += 1) await writeFile(at(`file${index}`), '');
  const all: string[] = [];
  while (all.length < 10) {
    const some = await nextChanges(3);
    expect(some.length).toBeLessThanOrEqual(3);
    all.push(...some);
  }
  expect([...new Set(all)].sort()).toEqual(Array.from({ length: 10 }, (_, at) => `file${at}`));
});

it('reports the root after what was pending when more changed than it remembers', async () => {
  await mkdir(at('sub'), { recursive: true });
  await watchRoot(3);
  for (let index = 0; index < 10; index += 1) await writeFile(at(`sub/${index}`), '');
  await vi.waitFor(() => expect(limits).toContain('too many changes wait to be reported'));
  await reported('sub/0', 'sub/1', 'sub/2', '');
  expect(await reportedBefore('end')).toEqual([]);
});

it('watches nothing after it has stopped, and begins anew with the root', async () => {
  await mkdir(at('sub'), { recursive: true });
  await watchRoot();
  share.stop();
  expect([share.directories, budget.directories]).toEqual([0, 100]);
  await writeFile(at('sub/meanwhile'), '');
  await share.start();
  share.reportRoot();
  expect(await reported('')).toEqual([]);
  await writeFile(at('sub/file'), '');
  expect(await reported('sub/file')).toEqual([]);
});

it('says what a rename of a directory costs', async () => {
  for (const path of ['a/b', 'a/c', 'a/d']) await mkdir(at(path), { recursive: true });
  await writeFile(at('a/file'), '');
  await watchRoot();
  walked = [];
  await rename(at('a'), at('z'));
  await reported('a', 'z');
  const directories = walked.filter((work) => work === 'directory');
  // Four each time, and four names.
  expect([directories.length, walked.length]).toEqual([8, 12]);
});

it('a watch of a share keeps nothing of an earlier start when it starts again', async () => {
  await mkdir(at('sub'), { recursive: true });
  await watchRoot();
  await share.start();
  expect([share.directories, budget.directories]).toEqual([2, 98]);
  share.stop();
  expect([share.directories, budget.directories]).toEqual([0, 100]);
});

it('reports a share of one file by an empty path', async () => {
  await mkdir(directory, { recursive: true });
  await writeFile(at(''), 'one');
  await watchRoot();
  await appendFile(at(''), ' two');
  await reported('');
});
