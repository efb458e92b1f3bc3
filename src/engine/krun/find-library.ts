/**
 * Where libkrun is on this host.
 *
 * @module
 */
import { realpath } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { A3sError } from '../../errors.ts';

/** Where distributions and libkrun's own makefile put it. */
const LIBRARIES = [
  '/usr/local/lib64/libkrun.so.1',
  '/usr/local/lib/libkrun.so.1',
  '/usr/lib64/libkrun.so.1',
  '/usr/lib/x86_64-linux-gnu/libkrun.so.1',
  '/usr/lib/libkrun.so.1',
];

/**
 * The library's path, without links.
 *
 * @param named `A3S_KRUN_LIBRARY`
 * @throws A3sError `engine-unavailable`
 */
export async function findLibrary(
  named: string | undefined,
  libraries: readonly string[] = LIBRARIES,
): Promise<string> {
  if (named !== undefined && !isAbsolute(named)) {
    throw unavailable(`A3S_KRUN_LIBRARY names ${named}, which is no absolute path`);
  }
  for (const path of named === undefined ? libraries : [named]) {
    const found = await realpath(path).catch(() => undefined);
    if (found !== undefined) return found;
  }
  throw unavailable(
    named === undefined ? 'libkrun.so.1 was not found' : `there is no ${named} (A3S_KRUN_LIBRARY)`,
  );
}

/** The engine cannot be used on this host. */
export function unavailable(reason: string): A3sError {
  return new A3sError('engine-unavailable', `Cannot use the engine krun: ${reason}`, {
    remedy: 'Use --engine qemu; a3s-box info says what each engine lacks here.',
  });
}
