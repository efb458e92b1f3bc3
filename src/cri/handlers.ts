/**
 * The runtime handlers, which runtime classes name, and the annotations of this product.
 *
 * @module
 */
import * as z from 'zod';
import { MAX_ANNOTATION } from '../pods/confidential/launch-spec-annotation.ts';
import type { PodTee } from '../pods/record/pod.ts';
import { invalid, quoted, unsupported } from './refusal.ts';

/** Those of confidential pods. */
const CONFIDENTIAL: ReadonlyMap<string, PodTee> = new Map([
  ['a3s-snp', 'snp'],
  ['a3s-simulate', 'simulated'],
]);

export const HANDLERS: readonly string[] = ['', 'a3s', ...CONFIDENTIAL.keys()];

/** What the annotations of this product begin with. */
const PREFIX = 'dev.a3s.';
const LAUNCH_SPEC = `${PREFIX}launch-spec`;

/** All that a confidential pod may have. */
const PodAnnotations = z.strictObject({
  [LAUNCH_SPEC]: z.base64().min(1).max(MAX_ANNOTATION),
});

/** @throws A3sError `invalid-argument` */
export function expectHandler(field: string, name: string): void {
  if (HANDLERS.includes(name)) return;
  throw invalid(field, `no runtime has the name ${quoted(name)}`);
}

/** The secure processor of the pods of a handler; undefined: they are plain. */
export function teeOf(handler: string): PodTee | undefined {
  return CONFIDENTIAL.get(handler);
}

/** Whether the server mounts paths of the node into the pods of a handler. */
export function hasMounts(handler: string): boolean {
  return !CONFIDENTIAL.has(handler);
}

/**
 * Annotations that ask for what no plain pod has, such as a confidential guest, are never passed
 * over.
 *
 * @throws A3sError `unsupported-option` with the first of them
 */
export function expectNoOptions(annotations: Readonly<Record<string, string>>): void {
  const [option] = ownOf(annotations);
  if (option === undefined) return;
  const why =
    option === LAUNCH_SPEC
      ? 'it is for the handlers a3s-snp and a3s-simulate'
      : 'it is an option of boxes, and of no pod';
  throw unsupported(`the annotation ${quoted(option)}`, why);
}

/**
 * The launch spec of a confidential pod, as its annotation has it.
 *
 * @throws A3sError `unsupported-option` for any other annotation of this product,
 * `invalid-argument` where it is missing or malformed
 */
export function launchSpecAnnotation(annotations: Readonly<Record<string, string>>): string {
  const own = ownOf(annotations);
  const other = own.find((name) => name !== LAUNCH_SPEC);
  if (other !== undefined) {
    throw unsupported(
      `the annotation ${quoted(other)}`,
      'it is for a3s-box pod measure, which puts what it says into the launch spec',
    );
  }
  const parsed = PodAnnotations.safeParse(
    Object.fromEntries(own.map((name) => [name, annotations[name]])),
  );
  if (parsed.success) return parsed.data[LAUNCH_SPEC] ?? '';
  const why = own.length === 0 ? 'it is missing: a3s-box pod measure makes it' : 'it is no base64';
  throw invalid(`the annotation ${LAUNCH_SPEC}`, why);
}

/** Also where the prefix is written otherwise: a note in its place would leave the pod plain. */
function ownOf(annotations: Readonly<Record<string, string>>): string[] {
  return Object.keys(annotations).filter((name) => name.trim().toLowerCase().startsWith(PREFIX));
}
