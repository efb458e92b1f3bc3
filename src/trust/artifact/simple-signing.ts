/**
 * cosign's payload for images, "simple signing": what is signed, and under which name.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Requirement } from '../policy.ts';
import type { TrustQuestion } from '../question.ts';
import { readJson } from './evidence-json.ts';
import { Problem, quoted } from './problem.ts';

const TYPE = 'cosign container image signature';
const MAX_PAYLOAD = 64 * 1024;

/** Nothing unknown in `critical`: its members must not be ignored. */
const Payload = z.strictObject({
  critical: z.strictObject({
    identity: z.strictObject({ 'docker-reference': z.string().max(4096) }),
    image: z.strictObject({ 'docker-manifest-digest': z.string().max(4096) }),
    type: z.string().max(4096),
  }),
  optional: z.record(z.string(), z.unknown()).nullish(),
});
export type SimpleSigning = z.infer<typeof Payload>;

/** @throws Problem `too-large`, `malformed`, `wrong-type` */
export function readSimpleSigning(bytes: Buffer): SimpleSigning {
  checkPayloadSize(bytes);
  const payload = readJson(bytes, Payload, 'its payload');
  if (payload.critical.type !== TYPE) {
    throw new Problem(
      'wrong-type',
      `it is of type ${quoted(payload.critical.type)}, and not ${quoted(TYPE)}`,
    );
  }
  return payload;
}

/** @throws Problem `too-large` */
export function checkPayloadSize({ length }: Buffer): void {
  if (length <= MAX_PAYLOAD) return;
  throw new Problem('too-large', `its payload has ${length} bytes, more than ${MAX_PAYLOAD}`);
}

/** Compares a verified payload with the question. @throws Problem */
export function checkSimpleSigning(
  payload: SimpleSigning,
  subject: Digest,
  requirement: Requirement,
  question: TrustQuestion,
): void {
  const digest = payload.critical.image['docker-manifest-digest'];
  if (digest !== subject) {
    throw new Problem('other-digest', `it is for another digest, ${quoted(digest)}`);
  }
  const name = payload.critical.identity['docker-reference'];
  if (requirement.dockerReference !== 'ignore') checkReference(name, requirement, question);
  checkAnnotations(payload.optional ?? {}, requirement.annotations);
}

/** Compares exactly, and own members only: an annotation is signed content. @throws Problem */
export function checkAnnotations(
  found: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(wanted)) {
    const there = Object.hasOwn(found, name) ? found[name] : undefined;
    if (there === value) continue;
    throw new Problem(
      'annotation-differs',
      `its annotation ${quoted(name)} ${shown(there)}, and should be ${quoted(value)}`,
    );
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'is not there';
  if (typeof value === 'string') return `is ${quoted(value)}`;
  return `is no text, but ${quoted(JSON.stringify(value) ?? '')}`;
}

function checkReference(name: string, requirement: Requirement, question: TrustQuestion): void {
  const signed = readReference(name);
  const wanted =
    requirement.dockerReference === 'exact' && question.tag !== undefined
      ? `${question.repository}:${question.tag}`
      : question.repository;
  const sameRepository =
    signed !== undefined &&
    question.repository !== '' &&
    `${signed.domain}/${signed.path}` === question.repository;
  const same =
    sameRepository && (requirement.dockerReference === 'repository' || signed.tag === question.tag);
  if (same) return;
  throw new Problem(
    'other-reference',
    `it is for the name ${quoted(name)}, and not ${quoted(wanted)}`,
  );
}

function readReference(name: string): ReturnType<typeof parseReference> | undefined {
  try {
    return parseReference(name);
  } catch (error) {
    if (error instanceof A3sError) return undefined;
    throw error;
  }
}
