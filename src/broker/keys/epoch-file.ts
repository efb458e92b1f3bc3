/**
 * The text of a file of epochs: JSON with one text for each.
 *
 * @module
 */
import * as z from 'zod';
import { narrow } from '../../narrow.ts';
import { parseJson } from '../../parse-json.ts';
import type { Entries, KeyFormat } from './held-root-keys.ts';

/** @param name what the text of an epoch is called in the file */
export function epochFile(
  format: string,
  name: string,
  entry: z.ZodType<string>,
  most: number,
): Pick<KeyFormat, 'parse' | 'textOf'> {
  const document = z.strictObject({
    format: z.literal(format),
    epochs: z
      .array(z.strictObject({ epoch: z.int().min(1), [name]: entry }))
      .min(1)
      .max(most),
  });
  return {
    parse(text) {
      const { data } = narrow(document, parseJson(text));
      const found = data?.epochs as readonly Epoch[] | undefined;
      const entries = new Map(found?.map((each) => [each.epoch, String(each[name])]));
      // An epoch that is there twice is one of two.
      return entries.size === found?.length ? entries : undefined;
    },
    textOf(entries: Entries) {
      const epochs = [...entries].map(([epoch, text]) => ({ epoch, [name]: text }));
      return `${JSON.stringify({ format, epochs }, undefined, 2)}\n`;
    },
  };
}

type Epoch = { readonly epoch: number } & Readonly<Record<string, string | number>>;
