/**
 * A decision as the record of a box keeps it: its lists and texts are cut to what fits.
 *
 * @module
 */
import type { Finding, TrustDecision } from '../../trust/decision.ts';
import type { Box } from '../record/box.ts';

const MAX_TEXT = 1024;
const MAX_FINDINGS = 16;
const MAX_REQUIREMENTS = 16;
const MAX_INDEXES = 16;

/** Accepted findings come first, since the verdict rests on them. */
export function trustRecord(decision: TrustDecision): TrustDecision {
  const { image, requirements } = decision;
  const bounded: TrustDecision = {
    ...decision,
    image: { ...image, indexDigests: image.indexDigests.slice(0, MAX_INDEXES) },
    requirements: requirements.slice(0, MAX_REQUIREMENTS).map((requirement) => ({
      ...requirement,
      findings: [...requirement.findings].sort(acceptedFirst).slice(0, MAX_FINDINGS),
    })),
  };
  return clipped(bounded);
}

/**
 * The newest decision about a box: of its last start, or else of its creation. Undefined in records
 * that are older than trust.
 */
export function trustOf({ state, definition }: Box): TrustDecision | undefined {
  return state.trust ?? definition.trust;
}

/** The attributes of an event about a decision. */
export function trustAttributes(decision: TrustDecision | undefined): Record<string, string> {
  if (decision === undefined) return {};
  return { trust: decision.verdict, trustRule: decision.rule?.pattern ?? '' };
}

/** The attributes of an event about a refusal. @param name as the caller named the image */
export function refusalAttributes(
  name: string,
  { rule, reason }: TrustDecision,
): Record<string, string> {
  return { name, trustRule: rule?.pattern ?? '', reason };
}

function acceptedFirst(a: Finding, b: Finding): number {
  return Number(b.accepted) - Number(a.accepted);
}

/** A copy with every text cut to what a record may hold. */
function clipped<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, item: unknown) =>
    typeof item === 'string' && item.length > MAX_TEXT ? `${item.slice(0, MAX_TEXT)}…` : item,
  ) as T;
}
