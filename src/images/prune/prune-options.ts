/**
 * What a prune may take, and what it took.
 *
 * @module
 */
export interface PruneOptions {
  /** Images without a name only; otherwise every image that no box was made from. */
  readonly danglingOnly: boolean;
  /** Only images made before this time, in milliseconds since 1970. */
  readonly until: number | undefined;
  /** What an image's labels must fulfil. */
  readonly matches: (labels: Readonly<Record<string, string>>) => boolean;
  /** Ids of the images that boxes hold, which stay; asked at the moment when it is decided. */
  readonly inUse: () => ReadonlySet<string>;
}

export interface PruneResult {
  /** Familiar names and digests that were taken away. */
  readonly untagged: readonly string[];
  /** Ids of the images. */
  readonly deleted: readonly string[];
  /** Bytes on disk that are free now, or will be when what holds them ends. */
  readonly reclaimed: number;
}
