/**
 * A decision as the launch record keeps it: everything that was decided, and of what was looked at no more than fits.
 *
 * @module
 */
import type { Finding, TrustDecision } from '../../trust/decision.ts';
import type { Box } from '../record/box.ts';

const MAX_TEXT = 1024;
const MAX_FINDINGS = 16;
const MAX_REQUIREMENTS = 16;
const MAX_INDEXES = 16;

/** What was accepted comes first, since that is what the verdict rests on. */
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

/** The newest decision about a box: of its last start, or of its making. Undefined in records that are older than trust. */
export function trustOf({ state, definition }: Box): TrustDecision | undefined {
  return state.trust ?? definition.trust;
}

/** What an event says of the decision. */
export function trustAttributes(decision: TrustDecision | undefined): Record<string, string> {
  if (decision === undefined) return {};
  return { trust: decision.verdict, trustRule: decision.rule?.pattern ?? '' };
}

/** What an event says of a refusal. @param name as the caller named the image */
export function refusalAttributes(
  name: string,
  { rule, reason }: TrustDecision,
): Record<string, string> {
  return { name, trustRule: rule?.pattern ?? '', reason };
}

function acceptedFirst(a: Finding, b: Finding): number {
  return Number(b.accepted) - Number(a.accepted);
}

/** Every text in it, cut to what a record may hold. */
function clipped<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, item: unknown) =>
    typeof item === 'string' && item.length > MAX_TEXT ? `${item.slice(0, MAX_TEXT)}…` : item,
  ) as T;
}
