/**
 * Reads JSON strictly, and writes it.
 *
 * @module
 */
import { duplicateKey } from '../envelopes/encodings/duplicate-keys.ts';
import type { Label, Tree, TreeMap } from './claim-value.ts';
import { MAX_DEPTH, malformed } from './malformed.ts';

/**
 * The object that some bytes are, each of its objects as a map.
 *
 * @throws AttestationError `ear-malformed` for anything else, for text that is not UTF-8, a name
 *   twice in an object, or too many levels
 */
export function decodeJson(bytes: Uint8Array, where: string): TreeMap {
  const { text, value } = parsed(bytes, where);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(where, 'a JSON object');
  }
  if (duplicateKey(text) !== undefined) throw malformed(where, 'JSON without a name twice');
  return treeOf(value, where, 0) as TreeMap;
}

function parsed(bytes: Uint8Array, where: string): { text: string; value: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch (cause) {
    throw malformed(where, 'JSON in UTF-8', cause);
  }
}

function treeOf(value: unknown, where: string, depth: number): Tree {
  if (typeof value !== 'object' || value === null) return value as Tree;
  if (depth > MAX_DEPTH) throw malformed(where, `JSON of at most ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((item) => treeOf(item, where, depth + 1));
  return new Map(
    Object.entries(value).map(([name, item]) => [name, treeOf(item, where, depth + 1)]),
  );
}

/** Maps as objects, names in the order of the map. */
export function encodeJson(tree: TreeMap): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(plain(tree)));
}

function plain(tree: Tree): unknown {
  if (tree instanceof Map) {
    // Entries define properties, so that a submodule may be called `__proto__`.
    return Object.fromEntries(
      [...(tree as ReadonlyMap<Label, Tree>)].map(([name, item]) => [String(name), plain(item)]),
    );
  }
  return Array.isArray(tree) ? tree.map(plain) : tree;
}
