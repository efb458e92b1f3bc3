/**
 * An archive that is a tar. Its files come in any order, so all of them are staged in one pass.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { SpawnInJail } from '../../jail/decoder.ts';
import { corrupt, printable } from '../../oci/corrupt.ts';
import { ByteReader } from '../byte-reader.ts';
import type { StagedFile, Staging } from '../content/staging.ts';
import { decompress } from '../decompress.ts';
import { parseEntryPath } from '../layer/entry-path.ts';
import type { Limits } from '../limits.ts';
import { readTar, type TarEntry } from '../tar/read-tar.ts';
import type { ArchiveFiles } from './archive-files.ts';

/** `docker save` once wrote a layer that two images share as a link; no tool links to a link. */
const MAX_LINKS = 8;

export interface ReadArchiveOptions {
  readonly staging: Staging;
  readonly limits: Limits;
  readonly spawn: SpawnInJail;
}

/** @throws A3sError `invalid-image`, `too-large`, `disk-full` */
export async function readTarFiles(
  bytes: AsyncIterable<Uint8Array>,
  { staging, limits, spawn }: ReadArchiveOptions,
): Promise<ArchiveFiles> {
  const what = 'the archive';
  const files = new TarFiles(what);
  const plain = decompress(bytes, { what, maxBytes: limits.archiveBytes, spawn, gunzip: 'jail' });
  const reader = new ByteReader(plain, what);
  try {
    for await (const entry of readTar(reader, limits.archiveEntries)) {
      await files.add(entry, staging);
    }
  } finally {
    await reader.close();
  }
  return files;
}

class TarFiles implements ArchiveFiles {
  readonly what: string;
  readonly #files = new Map<string, StagedFile>();
  /** A link's name to the name that it means. */
  readonly #links = new Map<string, string>();

  constructor(what: string) {
    this.what = what;
  }

  async add(entry: TarEntry, staging: Staging): Promise<void> {
    const parts = parseEntryPath(entry.path, this.what);
    const name = parts.join('/');
    switch (entry.type) {
      case 'directory':
        return;
      case 'file': {
        const file = await staging.add(entry.body);
        const known = this.#files.get(name);
        // Readers disagree on which of two different files wins.
        if (this.#links.has(name) || (known !== undefined && known.digest !== file.digest)) {
          throw corrupt(this.what, `it has two files ${printable(name)}`);
        }
        this.#files.set(name, file);
        return;
      }
      case 'symlink':
      case 'hardlink': {
        const base = entry.type === 'symlink' ? parts.slice(0, -1) : [];
        const target = this.#resolve(base, entry.linkPath);
        const known = this.#links.get(name);
        if (this.#files.has(name) || (known !== undefined && known !== target)) {
          throw corrupt(this.what, `it has two files ${printable(name)}`);
        }
        this.#links.set(name, target);
        return;
      }
      default:
        throw corrupt(this.what, `${printable(name)} is a ${entry.type}, not a file`);
    }
  }

  file(name: string): Promise<StagedFile | undefined> {
    let target = name.split('/').filter(isSolid).join('/');
    for (let hops = 0; hops < MAX_LINKS; hops += 1) {
      const next = this.#links.get(target);
      if (next === undefined) return Promise.resolve(this.#files.get(target));
      target = next;
    }
    throw corrupt(this.what, `${printable(name)} is a link to a link without end`);
  }

  /** A link's target as a name of this archive: looked up in it, never on the host. */
  #resolve(base: readonly string[], target: string): string {
    const parts = target.startsWith('/') ? undefined : [...base];
    for (const part of target.split('/').filter(isSolid)) {
      if (part !== '..') parts?.push(part);
      else if (parts?.pop() === undefined) throw this.#outside(target);
    }
    if (parts === undefined || parts.length === 0) throw this.#outside(target);
    return parts.join('/');
  }

  #outside(target: string): A3sError {
    return new A3sError(
      'invalid-image',
      `Cannot read ${this.what}: a link leads out of it, to ${printable(target)}`,
    );
  }
}

function isSolid(part: string): boolean {
  return part !== '' && part !== '.';
}
