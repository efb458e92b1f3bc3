/**
 * The content store: an OCI layout on disk (image-spec, image-layout.md), so that other tools can
 * read it.
 *
 * @module
 */
import type { Dirent } from 'node:fs';
import { chmod, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { renameDurably, syncDirectory } from '../../durable.ts';
import { A3sError } from '../../errors.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import { createDurably, makePrivate } from './files.ts';
import type { StagedFile } from './staging.ts';

const LAYOUT = JSON.stringify({ imageLayoutVersion: '1.0.0' });

/** An image as the layout's index names it. */
export interface IndexEntry {
  readonly manifest: {
    readonly digest: Digest;
    readonly size: number;
    readonly mediaType: string;
  };
  readonly names: readonly string[];
}

export class Blobs {
  readonly #root: string;
  readonly #blobs: string;

  private constructor(root: string) {
    this.#root = root;
    this.#blobs = join(root, 'blobs/sha256');
  }

  /** @throws A3sError `state-unusable` when the layout has another version */
  static async open(root: string): Promise<Blobs> {
    const blobs = new Blobs(root);
    await makePrivate(join(root, 'blobs'));
    await makePrivate(blobs.#blobs);
    const marker = join(root, 'oci-layout');
    const found = await readFile(marker, 'utf8').catch(() => undefined);
    if (found === undefined) await blobs.#replace('oci-layout', LAYOUT);
    else if (found !== LAYOUT) {
      throw new A3sError('state-unusable', `Cannot use ${root}: ${marker} has another version`, {
        remedy: 'Use the a3s-box that wrote it, or another A3S_HOME.',
      });
    }
    return blobs;
  }

  /**
   * Takes over staged files; a blob that is there already is replaced by the one that was just
   * checked.
   */
  async add(files: readonly StagedFile[]): Promise<void> {
    const distinct = new Map(files.map((file) => [file.digest, file]));
    for (const file of distinct.values()) {
      await chmod(file.path, 0o400);
      await rename(file.path, this.path(file.digest));
    }
    await syncDirectory(this.#blobs);
  }

  /** Whether the blob is here, of this size. */
  async has(digest: Digest, size: number): Promise<boolean> {
    const found = await stat(this.path(digest)).catch(() => undefined);
    return found?.size === size;
  }

  /** Rewrites what other tools read; the catalog is what counts. */
  async writeIndex(entries: readonly IndexEntry[]): Promise<void> {
    const manifests = entries.flatMap(({ manifest, names }) => {
      const { mediaType, digest, size } = manifest;
      const descriptor = { mediaType, digest, size };
      if (names.length === 0) return [descriptor];
      return names.map((name) => ({
        ...descriptor,
        annotations: { 'org.opencontainers.image.ref.name': name },
      }));
    });
    await this.#replace('index.json', JSON.stringify({ schemaVersion: 2, manifests }));
  }

  /** Deletes every blob that is not in `reachable`. */
  async sweep(reachable: ReadonlySet<Digest>): Promise<void> {
    const names = new Set([...reachable].map(hexOf));
    await sweepDirectory(this.#blobs, (entry) => names.has(entry.name));
  }

  path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = join(this.#root, `.${name}.new`);
    await rm(temporary, { force: true });
    await createDurably(temporary, async (file) => {
      await file.writeFile(text);
    });
    await renameDurably(temporary, join(this.#root, name));
  }
}

/** Removes everything in a directory that `keep` does not want. */
export async function sweepDirectory(
  path: string,
  keep: (entry: Dirent) => boolean,
): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!keep(entry)) await rm(join(path, entry.name), { recursive: true, force: true });
  }
}
