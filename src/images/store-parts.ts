/**
 * What the verbs of the image store work on.
 *
 * @module
 */

import type { Semaphore } from '../async/semaphore.ts';
import type { SpawnInJail } from '../jail/decoder.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { Blobs } from './content/blobs.ts';
import type { Pins } from './content/pins.ts';
import type { Disks } from './disks.ts';
import type { Downloads } from './ingest/downloads.ts';
import type { Limits } from './limits.ts';

export interface StoreParts {
  /** Directory for files that are not verified yet. */
  readonly staging: string;
  readonly limits: Limits;
  readonly platform: Platform;
  readonly spawn: SpawnInJail;
  readonly blobs: Blobs;
  readonly disks: Disks;
  readonly catalog: Catalog;
  readonly downloads: Downloads;
  /** Disks that a load or a start needs, whatever the catalog says. */
  readonly diskPins: Pins<Digest>;
  /** Blobs that a pull or a push needs, whatever the catalog says. */
  readonly blobPins: Pins<Digest>;
  /** Held while files and rows change together. */
  readonly lock: Semaphore;
}
