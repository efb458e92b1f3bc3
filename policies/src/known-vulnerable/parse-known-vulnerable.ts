/**
 * Checks the list of what is known to be vulnerable.
 *
 * @module
 */
import * as z from 'zod';
import { narrow } from '../narrow.ts';
import type {
  KnownVulnerable,
  ListedVulnerable,
  VulnerableKind,
} from './known-vulnerable-entry.ts';

/** The value of `schema` in the list. */
export const KNOWN_VULNERABLE_SCHEMA = 'a3s-box/known-vulnerable/v1';

const MAX_ENTRIES = 4096;

/** Bytes of a digest of each kind. */
const SIZES: Readonly<Record<VulnerableKind, number>> = {
  firmware: 32,
  'firmware-pages': 48,
  launch: 48,
  chip: 64,
};

const date = z.iso.date();
const line = z.string().regex(/^[ -~]{1,300}$/);
const path = z.string().regex(/^([A-Za-z0-9-]+\/)*[A-Za-z0-9-]+\.md(#[a-z0-9-]+)?$/);

const Entry = z
  .strictObject({
    id: z.string().regex(/^[A-Z0-9]+(-[A-Z0-9]+)*$/),
    date,
    kind: z.enum(['firmware', 'firmware-pages', 'launch', 'chip']),
    digest: z.string(),
    subject: line,
    reason: line,
    advisory: path,
  })
  .refine(({ kind, digest }) => new RegExp(`^[0-9a-f]{${2 * SIZES[kind]}}$`).test(digest), {
    error: 'a digest of its kind, in lower-case hexadecimal',
    path: ['digest'],
  });

const Document = z
  .strictObject({
    schema: z.literal(KNOWN_VULNERABLE_SCHEMA),
    date,
    entries: z.array(Entry).max(MAX_ENTRIES),
  })
  .refine(({ date, entries }) => entries.every((entry) => entry.date <= date), {
    error: 'no older than any entry',
    path: ['date'],
  })
  .refine(({ entries }) => new Set(entries.map(keyOf)).size === entries.length, {
    error: 'no digest twice',
    path: ['entries'],
  });

function keyOf({ kind, digest }: Pick<KnownVulnerable, 'kind' | 'digest'>): string {
  return `${kind} ${digest}`;
}

/**
 * The list that a document states.
 *
 * @throws RangeError for any other document; the message names everything that is wrong
 */
export function parseKnownVulnerable(document: unknown): {
  readonly date: string;
  readonly entries: readonly ListedVulnerable[];
} {
  const { success, data, error } = narrow(Document, document);
  if (!success) {
    const problems = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new RangeError(`Cannot read the known vulnerable: ${problems.join('; ')}`);
  }
  return { date: data.date, entries: data.entries };
}
