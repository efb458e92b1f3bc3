/**
 * That a policy which goes by ID blocks says whose.
 *
 * Anybody can sign an ID block for a measurement that is allowed, with any security version, family
 * and image, and the host launches with it. So what a policy asks of an ID block holds only where
 * it says who may have signed.
 *
 * @module
 */
import type * as z from 'zod/mini';

const UNLESS =
  'unless idKeyDigests or authorKeyDigests says whose ID block is trusted (anybody can sign one, the host included)';

/** What only an ID block tells; and what a policy has there that does not ask. */
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

/** An issue for each key of the document that asks for an ID block of nobody's. */
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
