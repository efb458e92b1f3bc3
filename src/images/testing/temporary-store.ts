/**
 * A store in a directory of its own, which goes with it.
 *
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostPlatform, type Platform } from '../../oci/platform.ts';
import { openDatabase } from '../../state/database.ts';
import { migrations } from '../catalog/catalog-migrations.ts';
import type { ImageStore } from '../image.ts';
import { DEFAULT_LIMITS, type Limits } from '../limits.ts';
import { openImageStore } from '../store.ts';
import { convertHere } from './convert-here.ts';

export interface TemporaryStore {
  /** Holds the store in `images`, and whatever a test puts beside it. */
  readonly root: string;
  readonly store: ImageStore;
  /** The files that a load could leave: empty when nothing was loaded. */
  remains(): Promise<readonly unknown[]>;
  remove(): void;
}

export async function temporaryStore(
  limits: Limits = DEFAULT_LIMITS,
  platform: Platform = hostPlatform(),
): Promise<TemporaryStore> {
  const root = mkdtempSync(join(tmpdir(), 'a3s-images-'));
  const directory = join(root, 'images');
  const database = openDatabase(':memory:', migrations);
  const store = await openImageStore({
    directory,
    database,
    converter: convertHere,
    limits,
    platform,
  });
  const below = (path: string): string[] => readdirSync(join(directory, path));
  return {
    root,
    store,
    remains: async () => [
      ...(await store.list()),
      ...['staging', 'blobs/sha256', 'erofs'].flatMap(below),
      ...readdirSync(root).filter((name) => name !== 'images'),
    ],
    remove: () => {
      database.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
