/**
 * Extended attributes, stored right behind their inode.
 *
 * @module
 */

const HEADER_SIZE = 12;
const ENTRY_SIZE = 4;

const PREFIXES = [
  { prefix: 'user.', index: 1 },
  { prefix: 'trusted.', index: 4 },
  { prefix: 'security.', index: 6 },
] as const;

/** The bytes of all attributes of one inode; none where it has no attribute. */
export function encodeXattrs(xattrs: ReadonlyMap<string, Buffer>): Buffer {
  if (xattrs.size === 0) return Buffer.alloc(0);
  const parts: Buffer[] = [Buffer.alloc(HEADER_SIZE)];
  for (const [name, value] of xattrs) parts.push(encodeXattr(name, value));
  return Buffer.concat(parts);
}

function encodeXattr(name: string, value: Buffer): Buffer {
  const found = PREFIXES.find(({ prefix }) => name.startsWith(prefix));
  if (found === undefined) throw new RangeError(`Cannot store the attribute ${name}`);
  const rest = Buffer.from(name.slice(found.prefix.length), 'latin1');
  const used = ENTRY_SIZE + rest.length + value.length;
  const bytes = Buffer.alloc(Math.ceil(used / 4) * 4);
  bytes.writeUInt8(rest.length, 0);
  bytes.writeUInt8(found.index, 1);
  bytes.writeUInt16LE(value.length, 2);
  rest.copy(bytes, ENTRY_SIZE);
  value.copy(bytes, ENTRY_SIZE + rest.length);
  return bytes;
}
