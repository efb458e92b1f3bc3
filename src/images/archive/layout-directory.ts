/**
 * An OCI layout that is a directory of this host. Files are copied to the staging area when they
 * are asked for.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import type { StagedFile, Staging } from '../content/staging.ts';
import type { ArchiveFiles } from './archive-files.ts';

/** The file names that a layout may have: no other file is ever opened. */
const NAME = /^(?:oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/;

export class LayoutDirectory implements ArchiveFiles {
  readonly what: string;
  readonly #path: string;
  readonly #staging: Staging;
  readonly #copied = new Map<string, StagedFile | undefined>();

  constructor(path: string, staging: Staging) {
    this.what = `the image layout ${path}`;
    this.#path = path;
    this.#staging = staging;
  }

  async file(name: string): Promise<StagedFile | undefined> {
    if (!NAME.test(name)) return undefined;
    if (!this.#copied.has(name)) this.#copied.set(name, await this.#copy(name));
    return this.#copied.get(name);
  }

  async #copy(name: string): Promise<StagedFile | undefined> {
    const path = join(this.#path, name);
    // Without O_NONBLOCK, opening a FIFO would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
      (error: unknown) => {
        if (isMissing(error)) return undefined;
        throw this.#unreadable(path, error);
      },
    );
    if (file === undefined) return undefined;
    try {
      if (!(await file.stat()).isFile()) throw this.#unreadable(path, 'it is not a file');
      return await this.#staging.add(file.createReadStream({ autoClose: false }));
    } finally {
      await file.close();
    }
  }

  #unreadable(path: string, reason: unknown): A3sError {
    const text = reason instanceof Error ? reason.message : String(reason);
    return new A3sError('invalid-image', `Cannot read ${path}: ${text}`, { cause: reason });
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ENOTDIR')
  );
}
