/**
 * Which library to load.
 *
 * @module
 */
import { isAbsolute } from 'node:path';
import { KrunError } from './errors.ts';

/** The builds of libkrun: the ordinary one, and those for confidential guests. */
export type Variant = 'krun' | 'krun-sev' | 'krun-tdx';

/** Names another library, by its absolute path. */
export const LIBRARY_VARIABLE = 'A3S_KRUN_LIBRARY';

const NAMES: Readonly<Partial<Record<NodeJS.Platform, Readonly<Record<Variant, string[]>>>>> = {
  linux: {
    krun: ['libkrun.so.1'],
    'krun-sev': ['libkrun-sev.so.1'],
    'krun-tdx': ['libkrun-tdx.so.1'],
  },
  darwin: {
    krun: ['libkrun.1.dylib', 'libkrun.dylib'],
    'krun-sev': [],
    'krun-tdx': [],
  },
};

/**
 * What to hand to the dynamic loader, in order.
 *
 * @throws KrunError `krun-library-missing` where the platform has no such build, or the variable
 * names no absolute path
 */
export function libraryNames(
  variant: Variant,
  named: string | undefined,
  platform: NodeJS.Platform = process.platform,
): readonly string[] {
  if (named !== undefined && named !== '') {
    if (isAbsolute(named)) return [named];
    throw new KrunError(
      'krun-library-missing',
      `Cannot load the library ${JSON.stringify(named)}: the path is not absolute`,
      { remedy: `Set ${LIBRARY_VARIABLE} to an absolute path.` },
    );
  }
  const names = NAMES[platform]?.[variant] ?? [];
  if (names.length > 0) return names;
  throw new KrunError(
    'krun-library-missing',
    `Cannot load lib${variant}: there is none for ${platform}`,
  );
}
