/**
 * Selects the unit tests that may share a process: starting one for each file costs more than most
 * of their tests do.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What stays changed for the files after it: modules that are mocked, the environment, the clock,
 * globals, handlers.
 */
const CHANGES = [
  /\bvi\.(mock|doMock|hoisted|resetModules|stubEnv|stubGlobal|useFakeTimers|setSystemTime)\b/,
  /\bprocess\.env(\.\w+|\[[^\]]+\]) \??\??=[^=]/,
  /\bdelete process\.env\b/,
  /\bprocess\.(chdir|umask|on|once)\(/,
  /\bglobalThis(\.\w+|\[[^\]]+\]) =[^=]/,
  // It configures koffi, which nobody can once a library is loaded.
  /\bKrunLibrary\.load\(/,
];

/** Whether a test file changes the process that it runs in, and so has to have one of its own. */
export function changesItsProcess(source: string): boolean {
  return CHANGES.some((change) => change.test(source));
}

/** The test files below these folders that need a process of their own, relative to the root. */
export function isolatedFiles(root: string, folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) =>
        join(folder, path),
      ),
    )
    .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
    .filter((path) => changesItsProcess(readFileSync(join(root, path), 'utf8')))
    .toSorted();
}
