/**
 * Prose has at most 100 columns: the documents, and the comments of the sources.
 *
 * usage: main.ts [--write] [PATH…]: files and folders of the repository in this directory, all of
 * it by default. Prints each file with a line that is too long, and fails where there is one. With
 * --write it wraps them.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { isWrapped, wrapFile } from './wrap-file.ts';

const [write, paths] =
  process.argv[2] === '--write' ? [true, process.argv.slice(3)] : [false, process.argv.slice(2)];
const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths];
const listed = execFileSync('git', list, { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\0');
let found = 0;
for (const path of listed.filter((name) => isWrapped(name) && existsSync(name))) {
  const before = readFileSync(path, 'utf8');
  const after = wrapFile(path, before);
  if (after === before) continue;
  found += 1;
  if (write) writeFileSync(path, after);
  console.log(
    write ? `wrapped ${path}` : `${path}:${firstDifference(before, after)}: prose over 100 columns`,
  );
}
if (found > 0 && !write) {
  console.log('Wrap it with npm run format.');
  process.exitCode = 1;
}

function firstDifference(before: string, after: string): number {
  const others = after.split('\n');
  return before.split('\n').findIndex((line, index) => line !== others[index]) + 1;
}
