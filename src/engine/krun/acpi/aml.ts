/**
 * The little of AML, ACPI's byte code, that names devices: section 20.2 of the specification.
 *
 * @module
 */

type Term = Buffer;

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);

function segment(name: string): Buffer {
  return Buffer.from(name.padEnd(4, '_'), 'latin1');
}

function integer(value: number): Term {
  const encoded = Buffer.alloc(5, 0x0c);
  encoded.writeUInt32LE(value, 1);
  return encoded;
}

/** The length counts its own bytes. */
function sized(opcode: Buffer, ...content: readonly Buffer[]): Term {
  const body = Buffer.concat(content);
  for (const more of [0, 1, 2, 3]) {
    const length = body.length + 1 + more;
    if (length >= (more === 0 ? 0x40 : 2 ** (4 + 8 * more))) continue;
    return Buffer.concat([opcode, packageLength(length, more), body]);
  }
  throw new RangeError('a term is too long');
}

function packageLength(length: number, more: number): Buffer {
  if (more === 0) return bytes(length);
  const rest = Array.from({ length: more }, (_, n) => (length >> (4 + 8 * n)) & 0xff);
  return bytes((more << 6) | (length & 0xf), ...rest);
}

export function scope(path: string, ...terms: readonly Term[]): Term {
  return sized(bytes(0x10), Buffer.from(path, 'latin1'), ...terms);
}

export function device(name: string, ...terms: readonly Term[]): Term {
  return sized(bytes(0x5b, 0x82), segment(name), ...terms);
}

/** A name with a value: a text, a number, or resources. */
export function value(name: string, is: string | number | Buffer): Term {
  const data =
    typeof is === 'string'
      ? Buffer.concat([bytes(0x0d), Buffer.from(is, 'latin1'), bytes(0)])
      : typeof is === 'number'
        ? integer(is)
        : is;
  return Buffer.concat([bytes(0x08), segment(name), data]);
}

/**
 * The number of an identifier such as `PNP0501`: five bits for each letter, four for each digit.
 */
export function eisaId(id: string): number {
  const [a = 0, b = 0, c = 0] = [...id].map((letter) => letter.charCodeAt(0) & 0x1f);
  const vendor = (a << 10) | (b << 5) | c;
  const product = Number.parseInt(id.slice(3), 16);
  return Buffer.from([vendor >> 8, vendor, product >> 8, product]).readUInt32LE(0);
}

/** Descriptors of resources, section 6.4. */
export function resources(...descriptors: readonly Buffer[]): Buffer {
  const END = bytes(0x79, 0);
  const list = Buffer.concat([...descriptors, END]);
  return sized(bytes(0x11), integer(list.length), list);
}

export function ports(base: number, count: number): Buffer {
  const descriptor = bytes(0x47, 1, 0, 0, 0, 0, 1, count);
  descriptor.writeUInt16LE(base, 2);
  descriptor.writeUInt16LE(base, 4);
  return descriptor;
}

export function memory(base: number, length: number): Buffer {
  const WRITABLE = 1;
  const descriptor = Buffer.concat([bytes(0x86, 9, 0, WRITABLE), Buffer.alloc(8)]);
  descriptor.writeUInt32LE(base, 4);
  descriptor.writeUInt32LE(length, 8);
  return descriptor;
}

/** An interrupt line that rises, and that nothing else has. */
export function interrupt(line: number): Buffer {
  const CONSUMER = 1;
  const EDGE = 2;
  const descriptor = Buffer.concat([bytes(0x89, 6, 0, CONSUMER | EDGE, 1), Buffer.alloc(4)]);
  descriptor.writeUInt32LE(line, 5);
  return descriptor;
}
