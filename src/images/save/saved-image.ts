/**
 * What an archive is made of.
 *
 * @module
 */
import type { Digest } from '../../oci/digest.ts';

/** A blob, as a descriptor names it. */
export interface SavedBlob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface SavedName {
  /** Canonical, with a tag. */
  readonly name: string;
  /** The index that the name stands for, where the image came through one. */
  readonly index: SavedBlob | undefined;
}

export interface SavedAttachment {
  readonly manifest: SavedBlob;
  readonly blobs: readonly SavedBlob[];
  /** `sha256-….sig` or `.att`; undefined for one that is found by its `subject` alone. */
  readonly tag: string | undefined;
}

export interface SavedImage {
  readonly manifest: SavedBlob;
  readonly config: SavedBlob;
  /** Lowest first. */
  readonly layers: readonly SavedBlob[];
  readonly platform: { readonly os: string; readonly architecture: string };
  readonly names: readonly SavedName[];
  /** Every index in the store that lists the image. */
  readonly indexes: readonly SavedBlob[];
  readonly attachments: readonly SavedAttachment[];
}
