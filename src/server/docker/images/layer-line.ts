/**
 * A line about one layer, as Docker's clients draw bars from.
 *
 * @module
 */

/** Of a digest, as Docker shows it. */
const ID_DIGITS = 12;

export interface LayerLine {
  readonly status: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** The layer's name in its lines. */
export function layerId(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + ID_DIGITS);
}
