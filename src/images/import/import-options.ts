/**
 * What an import makes beside the layer.
 *
 * @module
 */
import type { Platform } from '../../oci/platform.ts';

export interface ImportOptions {
  /** The image's name; undefined leaves it without one. */
  readonly name: string | undefined;
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
  /** Stands in the image's history. */
  readonly message: string;
  /** The host's where undefined; another one is refused, since nothing here could run it. */
  readonly platform: Platform | undefined;
  /** RFC 3339; stands in the image, so that equal inputs give equal images. */
  readonly created: string;
}
