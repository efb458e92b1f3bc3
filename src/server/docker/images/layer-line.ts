/**
 * A line about one layer, from which Docker's clients draw progress bars.
 *
 * @module
 */

/** The digits of a digest that Docker shows. */
const ID_DIGITS = 12;

export interface LayerLine {
  readonly status: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** The name of a layer in its lines. */
export function layerId(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + ID_DIGITS);
}
