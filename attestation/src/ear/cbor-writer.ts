/**
 * Writes CBOR in its deterministic encoding (RFC 8949, section 4.2.1).
 *
 * @module
 */
import { OtherItem, TaggedItem, type Tree, type TreeMap } from './claim-value.ts';

/** The one encoding of some items: no floats, and no simple values but true, false and null. */
export function encodeCbor(tree: Tree): Uint8Array {
  if (typeof tree === 'string') return text(tree);
  if (typeof tree === 'number' || typeof tree === 'bigint') return integer(BigInt(tree));
  if (typeof tree === 'boolean') return Uint8Array.of(tree ? 0xf5 : 0xf4);
  if (tree === null) return Uint8Array.of(0xf6);
  if (tree instanceof Uint8Array) return concat([head(2, BigInt(tree.length)), tree]);
  if (tree instanceof TaggedItem) return concat([head(6, BigInt(tree.tag)), encodeCbor(tree.item)]);
  if (tree instanceof OtherItem) throw new TypeError(`Cannot encode ${tree.description}.`);
  if (tree instanceof Map) return map(tree);
  const items = tree as readonly Tree[];
  return concat([head(4, BigInt(items.length)), ...items.map(encodeCbor)]);
}

/** In the order of the encoded keys, byte by byte. */
function map(entries: TreeMap): Uint8Array {
  const encoded = [...entries].map(([key, value]) => [encodeCbor(key), encodeCbor(value)] as const);
  encoded.sort(([one], [other]) => compare(one, other));
  return concat([head(5, BigInt(entries.size)), ...encoded.flat()]);
}

function compare(one: Uint8Array, other: Uint8Array): number {
  // No encoding begins with another one, and no two keys of a map have the same.
  const at = one.findIndex((byte, index) => byte !== other[index]);
  return Number(one[at]) - Number(other[at]);
}

function text(value: string): Uint8Array {
  const encoded = new TextEncoder().encode(value);
  return concat([head(3, BigInt(encoded.length)), encoded]);
}

function integer(value: bigint): Uint8Array {
  return value < 0n ? head(1, -1n - value) : head(0, value);
}

function head(major: number, value: bigint): Uint8Array {
  const first = major << 5;
  if (value < 24n) return Uint8Array.of(first | Number(value));
  const size = value < 0x100n ? 0 : value < 0x1_0000n ? 1 : value < 0x1_0000_0000n ? 2 : 3;
  const bytes = new Uint8Array(1 + 2 ** size);
  bytes[0] = first | (24 + size);
  let rest = value;
  for (let at = bytes.length - 1; at > 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest !== 0n) throw new RangeError('Cannot encode an integer of more than 64 bits.');
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
