/**
 * Identifier octets of the ASN.1 types that certificates are made of (X.690, 8.1.2).
 *
 * @module
 */
export const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Tag).map(([name, tag]) => [tag, name.replaceAll('_', ' ')]),
);

/** `[number]` of a primitive type, such as an implicitly tagged string; number is below 31. */
export function contextPrimitive(number: number): number {
  return 0x80 | number;
}

/** `[number]` around other values; number is below 31. */
export function contextConstructed(number: number): number {
  return 0xa0 | number;
}

/** For messages. */
export function tagName(tag: number): string {
  return NAMES.get(tag) ?? `tag 0x${tag.toString(16).padStart(2, '0')}`;
}
