/**
 * What pods of Kubernetes hold of the home that boxes use too. Boxes take none of it.
 *
 * @module
 */

export interface PodClaims {
  /** User ids of their microVMs. */
  uids(): number[];
  /** Ids of the images of their containers. */
  imageIds(): string[];
  /** Ids of their microVMs, which may run. */
  vmIds(): string[];
  /** Ids of the boot sets of their microVMs. */
  bootSets(): string[];
  /** Keys of the templates whose memory their microVMs may have. */
  templateKeys(): string[];
}

/** The directories of the node below which containers' mounts are made, one for each pod. */
export interface PodDirectories {
  /**
   * Makes the directory of a pod's mounts.
   *
   * @returns its path; undefined where this server can mount nothing
   */
  prepare(pod: string): Promise<string | undefined>;
  /** Unmounts all that a pod has, and removes its directory. */
  end(pod: string): Promise<void>;
}
