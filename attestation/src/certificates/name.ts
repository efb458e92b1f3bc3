/**
 * Distinguished names (RFC 5280, 4.1.2.4), as far as AMD's certificates use them.
 *
 * @module
 */
import { DerError } from '../der/error.ts';
import { readOid } from '../der/primitives.ts';
import type { DerReader } from '../der/reader.ts';
import { Tag } from '../der/tags.ts';
import { readText } from '../der/text.ts';
import { oid, printableString, sequence, set, utf8String } from '../der/writer.ts';

/** Attribute types by their short names (RFC 4519). */
const ATTRIBUTES = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
} as const;

export type AttributeType = keyof typeof ATTRIBUTES;

const TYPES: ReadonlyMap<string, AttributeType> = new Map(
  (Object.keys(ATTRIBUTES) as AttributeType[]).map((type) => [ATTRIBUTES[type], type]),
);
const MAX_VALUE_OCTETS = 64;

/** One attribute of a name. */
export interface NameAttribute {
  readonly type: AttributeType;
  readonly value: string;
}

/** A name to encode: its attributes in order, then the common name. */
export interface NameFields {
  readonly organization: readonly NameAttribute[];
  readonly commonName: string;
}

/** A name as text that can be compared: two of the same text have the same attributes. */
export interface DistinguishedName {
  /** Such as `OU=Engineering, C=US, …, CN=SEV-VCEK`: as encoded, escaped as RFC 4514 has it. */
  readonly text: string;
  readonly commonName: string;
  /** The text without the common name. */
  readonly organization: string;
}

/** The text of a name. */
export function formatName({ organization, commonName }: NameFields): DistinguishedName {
  const others = organization.map(formatAttribute);
  const text = [...others, formatAttribute({ type: 'CN', value: commonName })].join(', ');
  return { text, commonName, organization: others.join(', ') };
}

/**
 * Reads a Name.
 *
 * @throws {DerError} for attributes of other types, any of them twice, several in one RDN, values
 *   that are not PrintableString or UTF8String of 1 to 64 octets, and where the common name is not
 *   the last.
 */
export function readName(reader: DerReader): DistinguishedName {
  const attributes: NameAttribute[] = [];
  const names = reader.enter();
  while (names.nextTag !== undefined) {
    const attribute = readAttribute(names);
    if (attributes.some(({ type }) => type === attribute.type)) {
      throw new DerError('each attribute once', `${attribute.type} twice`);
    }
    attributes.push(attribute);
  }
  const last = attributes.pop();
  if (last?.type !== 'CN') throw new DerError('a name that ends with CN', last?.type ?? 'none');
  return formatName({ organization: attributes, commonName: last.value });
}

/**
 * Encodes a Name with the string types that AMD uses.
 *
 * @throws {RangeError} for a value that a certificate cannot hold.
 */
export function encodeName({ organization, commonName }: NameFields): Uint8Array {
  const attributes = [...organization, { type: 'CN', value: commonName } as const];
  return sequence(
    ...attributes.map(({ type, value }) => {
      const text = type === 'C' ? printableString(value) : utf8String(value);
      return set(sequence(oid(ATTRIBUTES[type]), text));
    }),
  );
}

function readAttribute(names: DerReader): NameAttribute {
  const relative = names.enter(Tag.SET);
  const fields = relative.enter();
  relative.end();
  const dotted = readOid(fields);
  const type = TYPES.get(dotted);
  if (type === undefined) throw new DerError(`one of ${[...TYPES.values()].join(', ')}`, dotted);
  const printable = fields.nextTag === Tag.PRINTABLE_STRING;
  const tag = printable ? Tag.PRINTABLE_STRING : Tag.UTF8_STRING;
  const value = readText(fields, tag, MAX_VALUE_OCTETS);
  fields.end();
  return { type, value };
}

function formatAttribute({ type, value }: NameAttribute): string {
  return `${type}=${value.replace(/[,+"\\<>;=]|^[ #]| $/g, '\\$&')}`;
}
