/**
 * Statements about evidence whose age nothing shows: no check of REPORT_DATA has passed.
 *
 * A result with a nonce says that its evidence is fresh, to a reader who sees no more.
 *
 * @module
 */
import type { EarSubmod } from './ear.ts';

const UNDATED = new WeakSet<EarSubmod>();

/** Gives the submodule, frozen: it stays what was noted. */
export function noteUndated(submod: EarSubmod): EarSubmod {
  UNDATED.add(submod);
  return Object.freeze(submod);
}

export function isUndated(submod: EarSubmod): boolean {
  return UNDATED.has(submod);
}
