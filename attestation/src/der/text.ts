/**
 * Character strings.
 *
 * @module
 */
import { DerError } from './error.ts';
import type { DerReader } from './reader.ts';
import { Tag, tagName } from './tags.ts';

/**
 * The characters that each type may hold. Of UTF-8, no invisible characters and none that change
 * the direction of text.
 */
const ALLOWED = {
  [Tag.UTF8_STRING]: /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]+$/u,
  [Tag.PRINTABLE_STRING]: /^[A-Za-z0-9 '()+,\-./:=?]+$/,
  [Tag.IA5_STRING]: /^[\x20-\x7e]+$/,
};

/** Bytes that are not UTF-8 decode as U+FFFD, which no type may hold. */
const UTF_8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Tags of the types that {@link readText} reads. */
export type TextTag = keyof typeof ALLOWED;

/** Whether a string of that type may hold this. */
export function isText(tag: TextTag, text: string): boolean {
  return ALLOWED[tag].test(text);
}

/**
 * A string of 1 to `maximum` octets of a type, tagged as that type or as `tag` says.
 *
 * @throws {DerError} for another length, for what the type cannot hold, and for controls.
 */
export function readText(
  reader: DerReader,
  type: TextTag,
  maximum: number,
  tag: number = type,
): string {
  const { content } = reader.take(tag);
  if (content.length > maximum) {
    throw new DerError(`${tagName(type)} of at most ${maximum} octets`, `${content.length} octets`);
  }
  const text = UTF_8.decode(content);
  if (!isText(type, text)) throw new DerError(`a visible ${tagName(type)}`, JSON.stringify(text));
  return text;
}
