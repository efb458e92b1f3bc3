/**
 * Which share of a box's microVM is which of its bind mounts.
 *
 * @module
 */

/** The tag of a bind mount's share, by its place in the definition. */
export function bindTag(index: number): string {
  return `bind-${index}`;
}
