/**
 * What decisions about one image have in common, so that one with many names costs what one with a single name costs:
 * its signatures are read once, a trusted root is asked for once, and conditions have one time to take.
 *
 * @module
 */
import type { TrustMaterial } from '@sigstore/verify';
import { EvaluationTime } from './conditions/evaluation-time.ts';
import type { Found } from './evidence/attachments.ts';
import type { TrustQuestion } from './question.ts';

/** Of all conditions on all attestations. */
const CONDITION_MILLISECONDS = 4000;

type Load = () => Promise<TrustMaterial>;

export class SharedWork {
  readonly conditionTime = new EvaluationTime(CONDITION_MILLISECONDS);
  /** By how it is loaded. One that could not be had is not asked for again: others wait for the answer. */
  readonly #materials = new Map<Load, Promise<TrustMaterial>>();
  #read: { readonly of: TrustQuestion; readonly found: Promise<readonly Found[]> } | undefined;

  material(load: Load): Promise<TrustMaterial> {
    const known = this.#materials.get(load);
    if (known !== undefined) return known;
    const loading = load();
    this.#materials.set(load, loading);
    return loading;
  }

  /** What `read` makes of the question's attachments, or has made of them before. */
  found(
    question: TrustQuestion,
    read: (question: TrustQuestion) => Promise<readonly Found[]>,
  ): Promise<readonly Found[]> {
    if (this.#read !== undefined && isSame(this.#read.of, question)) return this.#read.found;
    const found = read(question);
    this.#read = { of: question, found };
    return found;
  }
}

function isSame(a: TrustQuestion, b: TrustQuestion): boolean {
  return (
    a.attachments === b.attachments &&
    a.manifestDigest === b.manifestDigest &&
    a.indexDigests === b.indexDigests
  );
}
