/**
 * The work that decisions about one image share, so that an image with many names costs as much as
 * one with a single name: its signatures are read once, each trusted root is loaded once, and all
 * conditions share one time limit.
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
  /** Keyed by the function that loads it. A root that failed to load is not loaded again. */
  readonly #materials = new Map<Load, Promise<TrustMaterial>>();
  #read: { readonly of: TrustQuestion; readonly found: Promise<readonly Found[]> } | undefined;

  material(load: Load): Promise<TrustMaterial> {
    const known = this.#materials.get(load);
    if (known !== undefined) return known;
    const loading = load();
    this.#materials.set(load, loading);
    return loading;
  }

  /** The result of `read` for the question's attachments, computed once. */
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
