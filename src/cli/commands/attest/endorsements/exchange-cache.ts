/**
 * Moves the cache of endorsements to and from machines without a network.
 *
 * @module
 */
import { stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Invocation } from '../../../command.ts';
import { inputName, readInput } from '../../../files/input-file.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import { jsonText } from '../../../output/json-text.ts';
import { UsageError } from '../../../usage-error.ts';
import { neededPath } from '../input/ovmf-launch.ts';
import { type Library, refusingLater } from '../load-library.ts';
import { openCache } from './cached-endorsements.ts';

const MAX_BUNDLE = 32 * 1024 * 1024;

/** `--export FILE`. */
export async function exportCache(
  { context, flags }: Invocation,
  library: Library,
  now: Date,
): Promise<number> {
  const path = neededPath(flags, 'export');
  const store = await openCache(context, library);
  const bytes = await refusingLater(library, '', () => library.exportStore(store, now));
  try {
    await writeFile(resolve(context.cwd, path), bytes);
  } catch (error) {
    throw new UsageError(`write ${path}: ${error instanceof Error ? error.message : error}`);
  }
  report(flags, context.stdout, { exported: path, bytes: bytes.length }, `Exported to ${path}`);
  return 0;
}

/** `--import FILE`, or a directory in Trustee's layout. */
export async function importIntoCache(
  { context, flags }: Invocation,
  library: Library,
  now: Date,
): Promise<number> {
  const path = neededPath(flags, 'import');
  const store = await openCache(context, library);
  if (await isDirectory(resolve(context.cwd, path))) {
    const vceks = await refusingLater(library, path, () =>
      library.importTrusteeStore(store, resolve(context.cwd, path)),
    );
    report(flags, context.stdout, { vceks }, `Imported ${vceks} certificates`);
    return 0;
  }
  const bytes = await readInput(context, path, MAX_BUNDLE, '--import');
  const imported = await refusingLater(library, inputName(path), () =>
    library.importStore(store, bytes, now),
  );
  const { vceks, crls, olderCrls } = imported;
  const older = olderCrls === 0 ? '' : `; ${olderCrls} older than what is here stayed out`;
  report(
    flags,
    context.stdout,
    imported,
    `Imported ${vceks} certificates and ${crls} revocation lists${older}`,
  );
  return 0;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

function report(
  flags: FlagValues,
  stdout: NodeJS.WritableStream,
  document: object,
  text: string,
): void {
  stdout.write(flags.bool('json') ? jsonText(document) : `${text}\n`);
}
