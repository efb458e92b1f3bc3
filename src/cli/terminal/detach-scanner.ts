/**
 * Finds the detach keys in a terminal's input.
 *
 * @module
 */

export class DetachScanner {
  readonly #keys: Buffer;
  #matched = 0;

  /** @param keys an empty sequence never matches */
  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /**
   * The bytes of `chunk` for the box. A partial sequence is held back until the next key decides.
   */
  scan(chunk: Buffer): { readonly pass: Buffer; readonly detached: boolean } {
    if (this.#keys.length === 0) return { pass: chunk, detached: false };
    const pass: Buffer[] = [];
    for (const [at, byte] of chunk.entries()) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        pass.push(this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) {
        pass.push(chunk.subarray(at, at + 1));
      } else if (++this.#matched === this.#keys.length) {
        return { pass: Buffer.concat(pass), detached: true };
      }
    }
    return { pass: Buffer.concat(pass), detached: false };
  }
}
