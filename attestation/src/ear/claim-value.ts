/**
 * What JSON and CBOR have in common: claims as maps, whatever they were written in.
 *
 * @module
 */

/** An item that EAR has no claim for: a float, a simple value, or a tagged item. */
export class OtherItem {
  readonly description: string;

  constructor(description: string) {
    this.description = description;
  }
}

/** A tagged item of CBOR. */
export class TaggedItem extends OtherItem {
  readonly tag: number | bigint;
  readonly item: Tree;

  constructor(tag: number | bigint, item: Tree) {
    super(`a tag ${tag}`);
    this.tag = tag;
    this.item = item;
  }
}

export type Label = string | number | bigint;
export type TreeMap = ReadonlyMap<Label, Tree>;
export type Tree =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | OtherItem
  | readonly Tree[]
  | TreeMap;

export function isTreeMap(tree: Tree | undefined): tree is TreeMap {
  return tree instanceof Map;
}
