/**
 * The runtime handlers: what runtime classes name.
 *
 * @module
 */
import { invalid, quoted, unsupported } from './refusal.ts';

/** All are the same runtime. */
export const HANDLERS: readonly string[] = ['', 'a3s'];

/** Those of confidential pods. */
const CONFIDENTIAL: ReadonlySet<string> = new Set(['a3s-snp', 'a3s-simulate']);

/** What the annotations of this product begin with. */
const PREFIX = 'dev.a3s.';

/** @throws A3sError `unsupported-option` for one of confidential pods, `invalid-argument` */
export function expectHandler(field: string, name: string): void {
  if (HANDLERS.includes(name)) return;
  if (CONFIDENTIAL.has(name)) {
    // Its launch spec would have to name all of its containers, and its guest to refuse others.
    throw unsupported(
      `${field} ${name}`,
      'no pod is confidential yet, since the host adds containers to it that no measurement names',
    );
  }
  throw invalid(field, `no runtime has the name ${quoted(name)}`);
}

/**
 * Annotations of a box that ask for what no pod has, such as a confidential guest, are never passed
 * over.
 *
 * @throws A3sError `unsupported-option` with the first of them
 */
export function expectNoOptions(annotations: Readonly<Record<string, string>>): void {
  const option = Object.keys(annotations).find((name) => name.startsWith(PREFIX));
  if (option === undefined) return;
  throw unsupported(`the annotation ${quoted(option)}`, 'it is an option of boxes, and of no pod');
}
