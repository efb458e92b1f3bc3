/**
 * The last refusals of a builder's proxy, for the errors of builds.
 *
 * @module
 */

const MAX_REFUSED = 32;

export class Refusals {
  readonly #refused: { readonly at: number; readonly reason: string }[] = [];

  add(reason: string): void {
    this.#refused.push({ at: performance.now(), reason });
    this.#refused.splice(0, this.#refused.length - MAX_REFUSED);
  }

  /** @param time in milliseconds of `performance.now()` */
  since(time: number): readonly string[] {
    return this.#refused.filter(({ at }) => at >= time).map(({ reason }) => reason);
  }
}
