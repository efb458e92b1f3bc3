/**
 * The search for a launch that gives a digest: changes one by one, then two at a time, then likely
 * ones of three.
 *
 * @module
 */
import { DigestMemo } from './digest-memo.ts';
import type { Subject } from './figures.ts';
import type { Triple, Variant } from './variants.ts';

/** What was tried, in the order in which it was. */
export interface TriedVariants {
  readonly what: string;
  /** Digests that were computed for it. */
  readonly count: number;
  /** The digest, where there was but one. */
  readonly digest?: string;
}

export interface SearchResult {
  readonly found: Subject | undefined;
  readonly tried: readonly TriedVariants[];
  /** Everything was tried; false where a launch was found, or the bound came, before. */
  readonly complete: boolean;
}

/** A search for one digest, with a bound on what it computes. */
export class Search {
  readonly #memo = new DigestMemo();
  readonly #base: Subject;
  readonly #expected: string;
  readonly #actual: string;
  readonly #tried = new Map<string, { count: number; digest: string }>();
  #left: number;
  #found: Subject | undefined;

  /** @param actual - the digest to explain, as hexadecimal; not that of `base` */
  constructor(base: Subject, actual: string, maxVariants: number) {
    this.#base = base;
    this.#expected = this.#memo.digest(base);
    this.#actual = actual;
    this.#left = maxVariants;
  }

  /**
   * @param changes - all but those of the vCPU count, in the order in which two are applied
   * @param counts - those of the vCPU count
   * @param triples - what is changed at once after that
   */
  run(
    changes: readonly Variant[],
    counts: readonly Variant[],
    triples: readonly Triple[],
  ): SearchResult {
    const others = changes.filter((each) => this.#changes(each));
    const otherCounts = counts.filter((each) => this.#changes(each));
    const complete =
      others.every((each) => this.#try([each], each.what)) &&
      otherCounts.every((each) => this.#try([each], 'other vCPU counts')) &&
      this.#pairs(others, others) &&
      this.#pairs(others, otherCounts) &&
      triples.every((each) => this.#triple(each));
    return { found: this.#found, tried: this.#report(), complete };
  }

  /** A change that alone does not apply may do so behind another. */
  #changes(variant: Variant): boolean {
    const subject = variant.apply(this.#base);
    return subject === undefined || this.#memo.digest(subject) !== this.#expected;
  }

  #pairs(firsts: readonly Variant[], seconds: readonly Variant[]): boolean {
    return firsts.every((first, index) =>
      seconds
        .slice(firsts === seconds ? index + 1 : 0)
        .filter((second) => second.input !== first.input)
        .every((second) => this.#try([first, second], `${first.input} and ${second.input}`)),
    );
  }

  #triple([firsts, seconds, thirds]: Triple): boolean {
    return firsts.every((first) =>
      seconds.every((second) =>
        thirds.every((third) => {
          const what = `${first.input}, ${second.input} and ${third.input}`;
          return this.#try([first, second, third], what);
        }),
      ),
    );
  }

  /** Goes on while nothing is found and the bound not reached. */
  #try(changes: readonly Variant[], what: string): boolean {
    const subject = changes.reduce<Subject | undefined>(
      (changed, each) => changed && each.apply(changed),
      this.#base,
    );
    if (subject === undefined) return true;
    if (this.#left === 0) return false;
    this.#left--;
    const digest = this.#memo.digest(subject);
    this.#tried.set(what, { count: (this.#tried.get(what)?.count ?? 0) + 1, digest });
    if (digest === this.#actual) this.#found = subject;
    return this.#found === undefined;
  }

  #report(): readonly TriedVariants[] {
    return [...this.#tried].map(([what, { count, digest }]) =>
      count === 1 ? { what, count, digest } : { what, count },
    );
  }
}
