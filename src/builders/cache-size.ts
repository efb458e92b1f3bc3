/**
 * How much a builder keeps.
 *
 * @module
 */
const GIB = 1024 ** 3;

/** Of the disk with layers and caches, which grows as it is used. */
export const CACHE_BYTES = 32 * GIB;

/** Of that disk, for the cache: a build needs room beside it. */
export const KEPT_BYTES = 20 * GIB;
