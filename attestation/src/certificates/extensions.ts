/**
 * Extensions of certificates and revocation lists (RFC 5280, 4.2).
 *
 * @module
 */
import { DerError } from '../der/error.ts';
import { readBoolean, readOid } from '../der/primitives.ts';
import type { DerReader } from '../der/reader.ts';
import { Tag } from '../der/tags.ts';
import { boolean, octetString, oid, sequence } from '../der/writer.ts';

const MAX_EXTENSIONS = 32;

/** Identifiers of RFC 5280. */
export const ExtensionId = {
  SUBJECT_KEY_IDENTIFIER: '2.5.29.14',
  KEY_USAGE: '2.5.29.15',
  BASIC_CONSTRAINTS: '2.5.29.19',
  CRL_NUMBER: '2.5.29.20',
  REASON_CODE: '2.5.29.21',
  CRL_DISTRIBUTION_POINTS: '2.5.29.31',
  AUTHORITY_KEY_IDENTIFIER: '2.5.29.35',
} as const;

export interface Extension {
  /** In dotted form. */
  readonly id: string;
  readonly critical: boolean;
  /** Content of its OCTET STRING, not decoded. */
  readonly value: Uint8Array;
}

/**
 * Reads Extensions: 1 to 32 of them.
 *
 * @throws {DerError} where one is not an identifier, a criticality and octets.
 */
export function readExtensions(reader: DerReader): readonly Extension[] {
  const list = reader.enter();
  const extensions: Extension[] = [];
  do {
    if (extensions.length === MAX_EXTENSIONS) {
      throw new DerError(`at most ${MAX_EXTENSIONS} extensions`, 'more');
    }
    extensions.push(readExtension(list.enter()));
  } while (list.nextTag !== undefined);
  return extensions;
}

/** Encodes Extensions. */
export function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  return sequence(
    ...extensions.map(({ id, critical, value }) =>
      sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value)),
    ),
  );
}

/** The extensions of one certificate. Each reader takes those that it knows. */
export class ExtensionSet {
  readonly #left = new Map<string, Extension>();

  /** @throws {DerError} where one is there twice. */
  constructor(extensions: readonly Extension[]) {
    for (const extension of extensions) {
      if (this.#left.has(extension.id)) {
        throw new DerError('each extension once', `${extension.id} twice`);
      }
      this.#left.set(extension.id, extension);
    }
  }

  has(id: string): boolean {
    return this.#left.has(id);
  }

  /**
   * Value of an extension, which then is no longer in the set.
   *
   * @throws {DerError} where it is missing or its criticality differs.
   */
  take(id: string, critical: boolean): Uint8Array {
    const extension = this.#left.get(id);
    if (extension === undefined) throw new DerError(`extension ${id}`, 'none');
    if (extension.critical !== critical) {
      throw new DerError(`extension ${id} ${critical ? '' : 'not '}critical`, 'the contrary');
    }
    this.#left.delete(id);
    return extension.value;
  }

  /** @throws {DerError} where an unknown extension is left. */
  end(): void {
    for (const id of this.#left.keys()) throw new DerError('no other extension', id);
  }
}

function readExtension(fields: DerReader): Extension {
  const id = readOid(fields);
  const critical = fields.nextTag === Tag.BOOLEAN;
  if (critical && !readBoolean(fields)) throw new DerError('no default value', 'critical FALSE');
  const { content: value } = fields.take(Tag.OCTET_STRING);
  fields.end();
  return { id, critical, value };
}
