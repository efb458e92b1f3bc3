/**
 * Entries of the audit log: each contains the hash of the one before it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { canonicalJson } from '../../canonical-json.ts';
import { narrow } from '../../narrow.ts';
import { contextOf } from '../keys/aead.ts';
import type { StoredEntry } from '../store/store.ts';

const DOMAIN = 'a3s-box/broker-audit/v1';

/** What happened, to whom, and what decided. */
export interface AuditEvent {
  /** Absent where it concerns the whole broker. */
  readonly tenant?: string | undefined;
  /** `admin:NAME`, `guest:ADDRESS` or `broker`. */
  readonly actor: string;
  /** Such as `resource-released` or `secret-put`. */
  readonly action: string;
  /** What it was done to: a resource path, the name of a policy. */
  readonly object?: string | undefined;
  /** The code that the caller got; absent where it was done. */
  readonly refusal?: string | undefined;
  /** The check that decided. */
  readonly check?: string | undefined;
  /** Facts by name. */
  readonly details?: Readonly<Record<string, string | number>> | undefined;
}

const text = z.string().max(1024);

const body = z.strictObject({
  log: z.string().regex(/^[0-9a-f]{32}$/),
  seq: z.int().min(1),
  time: z.iso.datetime(),
  previous: z.string().regex(/^[0-9a-f]{64}$/),
  tenant: z.optional(text),
  actor: text,
  action: text,
  object: z.optional(text),
  refusal: z.optional(text),
  check: z.optional(text),
  details: z.optional(z.record(z.string().max(64), z.union([text, z.int()]))),
});

/** An entry as it is in the log. */
export type AuditEntry = z.infer<typeof body>;

/** What the first entry of a log follows. */
export function genesis(log: string): string {
  return createHash('sha256')
    .update(contextOf(DOMAIN, 'log', log))
    .digest('hex');
}

export function hashOf(text: string): string {
  return createHash('sha256')
    .update(contextOf(DOMAIN, 'entry', text))
    .digest('hex');
}

/** The entry that follows `last` in the log. */
export function nextEntry(
  log: string,
  last: StoredEntry | undefined,
  event: AuditEvent,
  now: Date,
): StoredEntry {
  const seq = (last?.seq ?? 0) + 1;
  const previous = last?.hash ?? genesis(log);
  const text = canonicalJson({ log, seq, time: now.toISOString(), previous, ...shorten(event) });
  return { seq, body: text, hash: hashOf(text) };
}

/** Whether an entry is what an event becomes in its place. */
export function isOf({ body: found }: Pick<StoredEntry, 'body'>, event: AuditEvent): boolean {
  const entry = parseEntry(found);
  if (entry === undefined) return false;
  const { log, seq, time, previous } = entry;
  return canonicalJson({ log, seq, time, previous, ...shorten(event) }) === found;
}

/** Undefined unless it is one entry in its one encoding. */
export function parseEntry(text: string): AuditEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = narrow(body, value);
  return data !== undefined && canonicalJson(data) === text ? data : undefined;
}

const MAX_TEXT = 512;

/** Parts of an event come from guests. */
function shorten(event: AuditEvent): Record<string, unknown> {
  const { details, ...texts } = event;
  return { ...shortened(texts), ...(details === undefined ? {} : { details: shortened(details) }) };
}

function shortened(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      typeof value === 'string' ? printable(value.slice(0, MAX_TEXT)) : value,
    ]),
  );
}

/**
 * Guests choose parts of what an auditor prints on a terminal. JSON escapes only the first 32
 * control characters: not those of C1, line separators, and marks of text direction.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function printable(value: string): string {
  const escaped = value.replace(
    UNPRINTABLE,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  // A half of a surrogate pair has no UTF-8, and so no hash.
  return Buffer.from(escaped.slice(0, MAX_TEXT)).toString();
}
