/**
 * What a prune may remove, and what it removed.
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
  /** Ids of the images that boxes use, which stay. Called at the moment of the decision. */
  readonly inUse: () => ReadonlySet<string>;
}

export interface PrunedImage {
  readonly id: string;
  /** Familiar names and digests that went with it. */
  readonly untagged: readonly string[];
  /** Chain ids of the layers that no image has any more, the uppermost first. */
  readonly layers: readonly string[];
}

export interface PruneResult {
  readonly removed: readonly PrunedImage[];
  /** Bytes on disk that are free now, or will be when what holds them ends. */
  readonly reclaimed: number;
}
