/**
 * From the host paths that a box binds to the directories that its engine shares.
 *
 * @module
 */
import { link, mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BoxSpec } from '@a3s-box/policies';
import type { Share } from '../engine/engine.ts';
import { A3sError } from '../errors.ts';
import type { Bind } from './box.ts';

export interface BoundPaths {
  readonly shares: Share[];
  readonly mounts: BoxSpec['mounts'];
}

/**
 * Makes a source that is missing a directory, as Docker's `-v` does. A single file is shared through a directory of
 * the box that holds nothing but a hard link to it, so its siblings stay unseen even by the guest's kernel.
 *
 * @param directory for those links; made anew
 * @throws A3sError `bind-source-missing`, `unsupported-option` for what cannot be shared
 */
export async function bindPaths(binds: readonly Bind[], directory: string): Promise<BoundPaths> {
  await rm(directory, { recursive: true, force: true });
  const shares: Share[] = [];
  const mounts: BoxSpec['mounts'] = [];
  for (const [index, { source, destination, readonly }] of binds.entries()) {
    const tag = `bind-${index}`;
    const kind = await ensureSource(source);
    const isFile = kind === 'file';
    const path = isFile ? await linkFile(source, join(directory, String(index))) : source;
    shares.push({ tag, path, readonly });
    const file = isFile ? { file: basename(source) } : {};
    mounts.push({ kind: 'virtiofs', tag, destination, readonly, ...file });
  }
  return { shares, mounts };
}

async function ensureSource(source: string): Promise<'file' | 'directory'> {
  try {
    await mkdir(source, { recursive: true });
    return 'directory';
  } catch (error) {
    const kind = await stat(source).catch(() => undefined);
    if (kind?.isDirectory() === true) return 'directory';
    if (kind?.isFile() === true) return 'file';
    if (kind === undefined) {
      throw new A3sError(
        'bind-source-missing',
        `Cannot bind ${source}: it does not exist, and cannot be made`,
        { cause: error, remedy: 'Make the directory first.' },
      );
    }
    throw new A3sError(
      'unsupported-option',
      `Cannot bind ${source}: only directories and regular files can be shared with a box`,
    );
  }
}

async function linkFile(source: string, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  try {
    await link(source, join(directory, basename(source)));
    return directory;
  } catch (cause) {
    throw new A3sError(
      'unsupported-option',
      `Cannot bind the single file ${source}: it cannot be linked from the box's directory`,
      {
        cause,
        remedy:
          'Bind the directory that holds it, or keep the file on the file system of A3S_HOME.',
      },
    );
  }
}
