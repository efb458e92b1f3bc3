/**
 * The sealed boot files of VMs, each in memory once for all VMs that boot from it. A VMM keeps what
 * it inherited for as long as it lives.
 *
 * @module
 */
import { closeSync, openSync } from 'node:fs';
import { pathOf } from '../../memory-file.ts';
import { closeSealed, type SealedFile, sealFile, sha256Of } from './sealed-file.ts';

/** Firmware, kernel and initrd of two boot sets. */
const MOST_KEPT = 6;

export class SealedFiles {
  /** By the digest of their content. The most recently used one comes last. */
  readonly #kept = new Map<string, SealedFile>();

  /**
   * A copy of a file as it is now; the caller closes it. Equal files are recognised by the copy's
   * digest, never by the file's name.
   *
   * @throws A3sError as `sealFile` does
   */
  async seal(path: string, limit: number): Promise<SealedFile> {
    const file = await sealFile(path, limit);
    const digest = Buffer.from(await sha256Of(file)).toString('hex');
    const known = this.#kept.get(digest);
    const kept = known ?? another(file);
    this.#kept.delete(digest);
    this.#kept.set(digest, kept);
    this.#forget();
    if (known === undefined) return file;
    const shared = another(known);
    await closeSealed(file);
    return shared;
  }

  #forget(): void {
    for (const [digest, { fd }] of this.#kept) {
      if (this.#kept.size <= MOST_KEPT) return;
      this.#kept.delete(digest);
      closeSync(fd);
    }
  }
}

/**
 * A descriptor of its own. It is made at once, so that the number cannot come to mean another file
 * meanwhile.
 */
function another({ fd, bytes }: SealedFile): SealedFile {
  return { fd: openSync(pathOf(fd), 'r'), bytes };
}
