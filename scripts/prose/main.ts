/**
 * Prose has at most 100 columns: the documents, and the comments of the sources. The title of a
 * test is a sentence that is understood alone. A link of a document leads somewhere.
 *
 * usage: main.ts [--write] [PATH…]: files and folders of the repository in this directory, all of
 * it by default. Prints each file with a line that is too long, each title without a subject and
 * each broken link, and fails where there is one. With --write it wraps the lines.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { brokenLinks } from './links.ts';
import { titlesWithoutSubject } from './test-titles.ts';
import { isWrapped, wrapFile } from './wrap-file.ts';

const [write, paths] =
  process.argv[2] === '--write' ? [true, process.argv.slice(3)] : [false, process.argv.slice(2)];
const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths];
const listed = execFileSync('git', list, { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\0');
let tooLong = 0;
let unclear = 0;
let broken = 0;
for (const path of listed.filter((name) => isWrapped(name) && existsSync(name))) {
  const before = readFileSync(path, 'utf8');
  for (const { line, text } of /\.test\.m?ts$/.test(path) ? titlesWithoutSubject(before) : []) {
    unclear += 1;
    console.log(`${path}:${line}: the title "${text}" has no subject`);
  }
  for (const { line, target } of path.endsWith('.md') ? brokenLinks('.', path) : []) {
    broken += 1;
    console.log(`${path}:${line}: the link ${target} leads nowhere`);
  }
  const after = wrapFile(path, before);
  if (after === before) continue;
  tooLong += 1;
  if (write) writeFileSync(path, after);
  console.log(
    write ? `wrapped ${path}` : `${path}:${firstDifference(before, after)}: prose over 100 columns`,
  );
}
if (tooLong > 0 && !write) console.log('Wrap it with npm run format.');
if (unclear > 0) console.log('Begin the title of a test with what the code does, and to what.');
if (unclear > 0 || broken > 0 || (tooLong > 0 && !write)) process.exitCode = 1;

function firstDifference(before: string, after: string): number {
  const others = after.split('\n');
  return before.split('\n').findIndex((line, index) => line !== others[index]) + 1;
}
