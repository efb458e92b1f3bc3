/**
 * Checks that a policy names each launch digest as that of one engine.
 *
 * A report does not name its engine, and a host can say anything. The launch digests of two engines
 * are never the same, since each covers other pages in another order. So the relying party, who
 * computed the digest, says in which list it stands, and that decides how the quote is taken.
 *
 * @module
 */
import type * as z from 'zod/mini';
import { MAX_LIST } from '../policy-values.ts';

const APART =
  'digests that are not in krunMeasurements: a launch digest is that of one engine alone';

/** An issue where a document has a launch digest under both engines. */
export function digestsOfTwoEngines(
  document: Readonly<Record<string, unknown>>,
): readonly z.core.$ZodIssueCustom[] {
  const krun = new Set(digitsIn(document['krunMeasurements']));
  const twice = digitsIn(document['measurements']).some((digits) => krun.has(digits));
  return twice ? [{ code: 'custom', path: ['measurements'], message: APART }] : [];
}

function digitsIn(list: unknown): readonly string[] {
  if (!Array.isArray(list) || list.length > MAX_LIST) return [];
  return list.filter((entry) => typeof entry === 'string').map((entry) => entry.toLowerCase());
}
