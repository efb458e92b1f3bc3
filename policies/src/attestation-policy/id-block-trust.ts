/**
 * Checks that a policy that relies on ID blocks names their signers.
 *
 * Anybody can sign an ID block for a measurement that is allowed, with any security version, family
 * and image, and the host launches with it. So a policy's demands on an ID block are effective only
 * where the policy names the permitted signers.
 *
 * @module
 */
import type * as z from 'zod/mini';

const UNLESS =
  'unless idKeyDigests or authorKeyDigests says whose ID block is trusted (anybody can sign one, the host included)';

/**
 * The values that only an ID block provides, and their defaults in a policy that does not demand
 * them.
 */
const ASKED: readonly {
  readonly key: string;
  readonly isAsked: (value: unknown) => boolean;
  readonly otherwise: string;
}[] = [
  { key: 'requireIdBlock', isAsked: (value) => value === true, otherwise: 'false' },
  {
    key: 'minGuestSvn',
    isAsked: (value) => typeof value === 'number' && value > 0,
    otherwise: '0',
  },
  { key: 'familyIds', isAsked: Array.isArray, otherwise: 'no list' },
  { key: 'imageIds', isAsked: Array.isArray, otherwise: 'no list' },
];

/** An issue for each key of the document that demands an ID block without naming its signers. */
export function untrustedIdBlock(
  document: Readonly<Record<string, unknown>>,
): readonly z.core.$ZodIssueCustom[] {
  if (document['idKeyDigests'] !== undefined) return [];
  if (document['authorKeyDigests'] !== undefined) return [];
  return ASKED.filter(({ key, isAsked }) => isAsked(document[key])).map(({ key, otherwise }) => ({
    code: 'custom',
    path: [key],
    message: `${otherwise}, ${UNLESS}`,
  }));
}
