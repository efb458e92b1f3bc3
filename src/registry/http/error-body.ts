/**
 * Reads a registry's reason for a refusal (distribution-spec 1.1, "Error Codes"): a bounded,
 * printable part of it.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { narrow } from '../../narrow.ts';
import type { HttpResponse } from './message.ts';

const MAX_BYTES = 64 * 1024;
const MAX_MILLISECONDS = 5000;
const MAX_TEXT = 300;

const ERRORS = z.object({
  errors: z
    .array(z.object({ code: z.string().optional(), message: z.string().optional() }))
    .max(1000),
});
/** Errors of OAuth (RFC 6749, 5.2), and of token servers with a form of their own. */
const OTHER = z.object({
  error: z.string().optional(),
  error_description: z.string().optional(),
  details: z.string().optional(),
  message: z.string().optional(),
});

/**
 * Reads an answer that is an error, and ends it. Empty where it says nothing that can be shown.
 *
 * @param secrets texts of which the result must hold no part
 */
export async function readErrorBody(
  response: HttpResponse,
  secrets: readonly string[],
): Promise<string> {
  return describeErrorBody(await readStart(response.body), secrets);
}

/** Ends an unwanted answer. Where it is short, its connection can serve again. */
export async function discard(response: HttpResponse): Promise<void> {
  await readStart(response.body);
}

/** @param bytes of JSON, or of anything else */
export function describeErrorBody(bytes: Buffer, secrets: readonly string[] = []): string {
  // Removes secrets before the text is shortened: half of a secret could no longer be recognised.
  return printable(withoutSecrets(textOf(bytes), secrets));
}

function textOf(bytes: Buffer): string {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    // A page for people, mostly HTML, which has no use in a message.
    return '';
  }
  const list = narrow(ERRORS, value);
  if (list.success) {
    const said = list.data.errors.slice(0, 3).map(({ code, message }) => join(code, message));
    return said.filter((text) => text !== '').join('; ');
  }
  const other = narrow(OTHER, value);
  if (!other.success) return '';
  const { error, error_description, details, message } = other.data;
  return join(error, error_description ?? details ?? message);
}

/** The longest first: one secret may be the beginning of another. */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret !== '')
    .sort((a, b) => b.length - a.length)
    .reduce((shorter, secret) => shorter.replaceAll(secret, '***'), text);
}

function join(code: string | undefined, message: string | undefined): string {
  return [code, message].filter((text) => text !== undefined && text !== '').join(': ');
}

/** One line without control characters, and without those that change the direction of text. */
export function printable(text: string): string {
  const line = text
    .slice(0, 4 * MAX_TEXT)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  const characters = [...line];
  return characters.length > MAX_TEXT ? `${characters.slice(0, MAX_TEXT).join('')}…` : line;
}

async function readStart(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const iterator = body[Symbol.asyncIterator]();
  const over = new AbortController();
  const timeout = setTimeout(MAX_MILLISECONDS, undefined, { signal: over.signal }).catch(
    () => undefined,
  );
  try {
    for (let length = 0; length < MAX_BYTES; ) {
      const next = await Promise.race([iterator.next(), timeout]);
      if (next === undefined || next.done === true) break;
      chunks.push(next.value);
      length += next.value.length;
    }
  } catch {
    // The status is known even when the body breaks off.
  } finally {
    over.abort();
    await iterator.return?.();
  }
  return Buffer.concat(chunks).subarray(0, MAX_BYTES);
}
