/**
 * Attestations as cosign writes them: an in-toto statement about one image, in a DSSE envelope.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import { hexOf } from '../oci/digest.ts';
import { parseDocument } from '../oci/json/json.ts';
import { endOfString } from '../oci/json/json-strings.ts';
import { preAuthEncoding } from '../trust/artifact/dsse.ts';
import { Problem } from '../trust/artifact/problem.ts';
import { readStatement, STATEMENT_PAYLOAD_TYPE } from '../trust/artifact/statement.ts';
import { MAX_STATEMENT_VALUES } from '../trust/limits.ts';
import { goJson } from './go-json.ts';
import type { Subject } from './image-payload.ts';
import type { PredicateType } from './predicate-types.ts';
import type { SigningKey } from './signing-key.ts';

/** Longest layer that the store keeps beside an image. */
const MAX_ENVELOPE = 16 * 1024 * 1024;

/** Keeps every member: a record of zod's leaves some out. */
const JsonDocument = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'must be an object' },
);
/** The quote that a string begins with, or a number. */
const QUOTE_OR_NUMBER = /"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * The statement. Version 0.1, as cosign writes it for every predicate.
 *
 * @param bytes of the predicate's file
 * @param what names that file
 * @param now goes into predicates of the type `custom` alone, which have a time
 * @throws A3sError `invalid-argument` where a reader would find different content in it, or none
 */
export function statement(
  { name, digest }: Subject,
  type: PredicateType,
  bytes: Buffer,
  what: string,
  now: Date,
): Buffer {
  const members = [
    '"_type":"https://in-toto.io/Statement/v0.1"',
    `"predicateType":${goJson(type.uri)}`,
    `"subject":[{"name":${goJson(name)},"digest":{"sha256":${goJson(hexOf(digest))}}}]`,
    `"predicate":${predicate(type, bytes, what, now)}`,
  ];
  const said = Buffer.from(`{${members.join(',')}}`);
  checkReadable(said, what);
  return said;
}

/** Verifiers read the envelope under bounds of their own. */
function checkReadable(said: Buffer, what: string): void {
  try {
    readStatement(said);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw unusable(what, `nobody could read what becomes of it: ${error.message}`);
  }
}

/** @throws A3sError `too-large` */
export function envelope(key: SigningKey, payload: Buffer): Buffer {
  const sig = key.sign(preAuthEncoding(STATEMENT_PAYLOAD_TYPE, payload)).toString('base64');
  const bytes = Buffer.from(
    JSON.stringify({
      payloadType: STATEMENT_PAYLOAD_TYPE,
      payload: payload.toString('base64'),
      signatures: [{ keyid: '', sig }],
    }),
  );
  if (bytes.length <= MAX_ENVELOPE) return bytes;
  throw new A3sError(
    'too-large',
    `Cannot attest ${bytes.length} bytes: ${MAX_ENVELOPE} are the most that is kept of one`,
  );
}

function predicate(type: PredicateType, bytes: Buffer, what: string, now: Date): string {
  if (type.form === 'json') return goJson(readPredicate(type, bytes, what));
  const text = textOf(bytes, what);
  if (type.form === 'text') return goJson(text);
  const timestamp = now.toISOString().replace(/\.\d+Z$/, 'Z');
  return `{"Data":${goJson(text)},"Timestamp":${goJson(timestamp)}}`;
}

function readPredicate(
  { uri, required }: PredicateType,
  bytes: Buffer,
  what: string,
): Readonly<Record<string, unknown>> {
  const document = parsed(bytes, what);
  const missing = required.filter((name) => !Object.hasOwn(document, name));
  if (missing.length > 0) {
    throw unusable(what, `${uri} has to have ${missing.map((name) => `"${name}"`).join(', ')}`);
  }
  const changed = changedNumber(bytes.toString());
  if (changed === undefined) return document;
  throw unusable(what, `readers would take the number ${changed.slice(0, 50)} for another one`);
}

function parsed(bytes: Buffer, what: string): Readonly<Record<string, unknown>> {
  try {
    return parseDocument(bytes, JsonDocument, what, MAX_STATEMENT_VALUES);
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    const reason = error.message.slice(`Cannot read ${what}: `.length);
    throw unusable(what, reason);
  }
}

/**
 * A whole number that a double does not hold exactly, or any number beyond the range of doubles.
 */
function changedNumber(text: string): string | undefined {
  const tokens = new RegExp(QUOTE_OR_NUMBER);
  for (;;) {
    const [token] = tokens.exec(text) ?? [];
    if (token === undefined) return undefined;
    if (token === '"') {
      tokens.lastIndex = endOfString(text, tokens.lastIndex - 1) + 1;
      continue;
    }
    const value = Number(token);
    const exact = /^-?\d+$/.test(token) ? Number.isSafeInteger(value) : Number.isFinite(value);
    if (!exact) return token;
  }
}

function textOf(bytes: Buffer, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw unusable(what, 'it is not UTF-8 text');
  }
}

function unusable(what: string, reason: string): A3sError {
  return new A3sError('invalid-argument', `Cannot use ${what} as the predicate: ${reason}`, {
    remedy: 'Correct the file, or name its type with --type.',
  });
}
