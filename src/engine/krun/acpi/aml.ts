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

/** Registers of 32 bits in memory, by their offset. */
export function registers(
  region: string,
  address: number,
  fields: readonly (readonly [name: string, offset: number])[],
): Term {
  const last = fields.at(-1)?.[1] ?? 0;
  const list: Buffer[] = [];
  let at = 0;
  for (const [name, offset] of fields) {
    if (offset > at) list.push(sizedBits(bytes(0), (offset - at) * 8));
    list.push(sizedBits(segment(name), 32));
    at = offset + 4;
  }
  const SYSTEM_MEMORY = 0;
  const ACCESS_BY_DWORD = 3;
  return Buffer.concat([
    bytes(0x5b, 0x80),
    segment(region),
    bytes(SYSTEM_MEMORY),
    integer(address),
    integer(last + 4),
    sized(bytes(0x5b, 0x81), segment(region), bytes(ACCESS_BY_DWORD), ...list),
  ]);
}

/** In a list of fields the length is that of the field, in bits. */
function sizedBits(name: Buffer, bits: number): Buffer {
  return Buffer.concat([name, packageLength(bits, bits < 0x40 ? 0 : 1)]);
}

/** Without arguments. */
export function method(name: string, ...terms: readonly Term[]): Term {
  return sized(bytes(0x14), segment(name), bytes(0), ...terms);
}

export function store(number: number, name: string): Term {
  return Buffer.concat([bytes(0x70), integer(number), segment(name)]);
}

/** Runs a term unless the name has this value. */
export function unless(name: string, number: number, then: Term): Term {
  return sized(bytes(0xa0), bytes(0x92, 0x93), segment(name), integer(number), then);
}

export function when(name: string, number: number, then: Term): Term {
  return sized(bytes(0xa0), bytes(0x93), segment(name), integer(number), then);
}

export function returnValue(number: number): Term {
  return Buffer.concat([bytes(0xa4), integer(number)]);
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
