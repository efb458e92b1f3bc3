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
