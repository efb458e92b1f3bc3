/**
 * in-toto statements: claims about artifacts that are named by digest.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import * as z from 'zod';
import { type Digest, hexOf } from '../../oci/digest.ts';
import { openObject } from '../../oci/json/json.ts';
import type { EvaluationTime } from '../conditions/evaluation-time.ts';
import { MAX_STATEMENT_VALUES } from '../limits.ts';
import type { Requirement } from '../policy.ts';
import { readJson } from './evidence-json.ts';
import { Problem, quoted } from './problem.ts';
import { checkAnnotations } from './simple-signing.ts';

export const STATEMENT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';
export const MAX_STATEMENT = 16 * 1024 * 1024;
const MAX_SUBJECTS = 4096;
/** Digests of one subject, by different algorithms. */
const MAX_DIGESTS = 8;

// Counted before any is validated: each bad one would be a fault of its own.
const Digests = z
  .unknown()
  .refine((digests) => Object.keys(Object(digests)).length <= MAX_DIGESTS, 'has too many digests')
  .pipe(z.record(z.string(), z.string()));

const StatementDocument = openObject({
  _type: z.enum(['https://in-toto.io/Statement/v0.1', 'https://in-toto.io/Statement/v1']),
  subject: z
    .array(
      openObject({
        digest: Digests,
        annotations: z.record(z.string(), z.unknown()).nullish(),
      }),
    )
    .min(1)
    .max(MAX_SUBJECTS),
  predicateType: z.string().min(1).max(4096),
});
export type Statement = z.infer<typeof StatementDocument>;

/** @throws Problem `too-large`, `malformed` */
export function readStatement(bytes: Buffer): Statement {
  if (bytes.length > MAX_STATEMENT) {
    throw new Problem(
      'too-large',
      `its statement has ${bytes.length} bytes, more than ${MAX_STATEMENT}`,
    );
  }
  return readJson(bytes, StatementDocument, 'its statement', 'malformed', MAX_STATEMENT_VALUES);
}

/** Checks what needs no signature: type and subject. @throws Problem */
export function checkStatement(
  statement: Statement,
  subject: Digest,
  requirement: Requirement,
): void {
  const wanted = requirement.attestation?.predicateType;
  if (wanted !== undefined && statement.predicateType !== wanted) {
    throw new Problem(
      'other-predicate-type',
      `it is of type ${quoted(statement.predicateType)}, and not ${quoted(wanted)}`,
    );
  }
  const about = subjectOf(statement, subject);
  if (about === undefined) {
    const first = statement.subject[0]?.digest['sha256'];
    throw new Problem(
      'other-digest',
      `it is for another digest, ${quoted(first === undefined ? 'none of SHA-256' : `sha256:${first}`)}`,
    );
  }
  if (requirement.dockerReference !== 'ignore') {
    throw new Problem('other-reference', 'it says nothing about the name of the image');
  }
  checkAnnotations(about.annotations ?? {}, requirement.annotations);
}

/** Checks the conditions on a signed statement. @throws Problem `condition-failed` */
export async function checkConditions(
  statement: Statement,
  requirement: Requirement,
  time: EvaluationTime,
): Promise<void> {
  for (const { text, failure } of requirement.attestation?.conditions ?? []) {
    await setImmediate();
    const reason = failure(statement, time);
    if (reason === undefined) continue;
    throw new Problem('condition-failed', `the condition ${quoted(text)} does not hold: ${reason}`);
  }
}

function subjectOf(
  statement: Statement,
  subject: Digest,
): Statement['subject'][number] | undefined {
  return statement.subject.find(
    ({ digest }) => Object.hasOwn(digest, 'sha256') && digest['sha256'] === hexOf(subject),
  );
}
