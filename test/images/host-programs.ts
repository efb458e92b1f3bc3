/**
 * Programs of this host as files of an image, with the libraries that they load.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { TarFile } from './build-image.ts';

/** Where the image has them; Debian's own directories are names for it on the host. */
const PROGRAMS = 'usr/sbin';
/** An absolute path in the output of `ldd`. */
const LIBRARY = /(\/\S+) \(0x/;

/**
 * @param names what the shell would find, or absolute paths
 * @param extra absolute paths of files and directories that the programs open by themselves
 */
export function hostPrograms(names: readonly string[], extra: readonly string[] = []): TarFile[] {
  const programs = names.map((name) => execFileSync('which', [name], { encoding: 'utf8' }).trim());
  const opened = extra.flatMap(filesIn);
  const libraries = new Set(librariesOf([...programs, ...opened]));
  return [
    ...programs.map((path) => file(join(PROGRAMS, basename(path)), path)),
    ...[...libraries, ...opened].map((path) => file(path.slice(1), path)),
  ];
}

function file(path: string, source: string): TarFile {
  return { path, mode: 0o755, data: readFileSync(realpathSync(source)) };
}

/** Links among them, as files of their own. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => join(directory, name));
}

/** None of programs that are static, for which `ldd` fails. */
function librariesOf(paths: readonly string[]): string[] {
  const listed = execFileSync('sh', ['-c', 'ldd "$@" || :', 'ldd', ...paths], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return listed.split('\n').flatMap((line) => LIBRARY.exec(line)?.[1] ?? []);
}
