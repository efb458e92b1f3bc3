/**
 * Bounds on everything in an image. Each is far above what real images have.
 *
 * @module
 */
const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** Signatures and attestations of one image. */
export const MAX_ATTACHMENTS = 64;

export interface Limits {
  /** Manifest, index and configuration, each. */
  readonly documentBytes: number;
  /** Layers of one image. */
  readonly layers: number;
  /** Images of one archive. */
  readonly images: number;
  /** Files of an archive, outside the layers. */
  readonly archiveEntries: number;
  /** Bytes of an archive once decompressed. */
  readonly archiveBytes: number;
  /** Files of all layers that become one disk. */
  readonly layerEntries: number;
  /** Names, link targets and extended attributes of all layers that become one disk. */
  readonly layerNameBytes: number;
  /** Bytes of one layer once decompressed. */
  readonly layerBytes: number;
  /** A compressed layer may always decompress to this many bytes... */
  readonly freeExpansion: number;
  /** ...and beyond that to this many times its own size. */
  readonly expansionRatio: number;
}

export const DEFAULT_LIMITS: Limits = {
  documentBytes: 4 * MiB,
  layers: 127,
  images: 128,
  archiveEntries: 20_000,
  archiveBytes: 256 * GiB,
  layerEntries: 2_000_000,
  layerNameBytes: 128 * MiB,
  layerBytes: 64 * GiB,
  freeExpansion: GiB,
  expansionRatio: 200,
};
