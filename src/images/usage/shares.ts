/**
 * Computes how many bytes each user of shared parts needs.
 *
 * @module
 */
/** The parts of one thing: bytes by a key that identifies them. */
export type Parts = ReadonlyMap<string, number>;

export interface Share {
  /** Bytes of all parts. */
  readonly size: number;
  /** Bytes of those that others have too. */
  readonly shared: number;
}

export interface Shares {
  /** In the order that was given. */
  readonly each: readonly Share[];
  /** Bytes of all distinct parts. */
  readonly total: number;
}

/** Shares of images, by their ids. */
export interface ImageUsage {
  readonly images: ReadonlyMap<string, Share>;
  readonly total: number;
}

export function shareOut(all: readonly Parts[]): Shares {
  const users = new Map<string, number>();
  const sizes = new Map<string, number>();
  for (const parts of all) {
    for (const [key, size] of parts) {
      users.set(key, (users.get(key) ?? 0) + 1);
      sizes.set(key, size);
    }
  }
  const each = all.map((parts) => {
    let size = 0;
    let shared = 0;
    for (const [key, bytes] of parts) {
      size += bytes;
      if ((users.get(key) ?? 0) > 1) shared += bytes;
    }
    return { size, shared };
  });
  return { each, total: sum(sizes.values()) };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
