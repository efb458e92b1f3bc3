/**
 * The promises of commands, with their times: each fact has a key, and a value from the moment on
 * at which a command reported success.
 *
 * @module
 */

interface Change {
  /** Position before the command was given, and after it had succeeded. */
  readonly start: number;
  done: number;
  /** Undefined: there is none. */
  value: string | undefined;
}

export class Ledger {
  readonly #changes = new Map<string, Change[]>();

  /** Called before the command is given, since the cut may come while it runs. */
  begin(key: string, value: string | undefined, position: number): Pending {
    const change: Change = { start: position, done: Number.POSITIVE_INFINITY, value };
    const changes = this.#changes.get(key) ?? [];
    changes.push(change);
    this.#changes.set(key, changes);
    return (done, ...outcome) => {
      change.done = done;
      if (outcome.length === 1) [change.value] = outcome;
    };
  }

  get keys(): readonly string[] {
    return [...this.#changes.keys()];
  }

  /** What the last command that succeeded has promised. */
  promised(key: string): string | undefined {
    const changes = this.#changes.get(key) ?? [];
    return changes.findLast(({ done }) => done !== Number.POSITIVE_INFINITY)?.value;
  }

  /**
   * Every value that the key may have after a cut at `position`: the one that was promised, and
   * those that were on their way.
   */
  allowed(key: string, position: number): readonly (string | undefined)[] {
    const changes = this.#changes.get(key) ?? [];
    const promised = changes.findLast(({ done }) => done <= position);
    const underWay = changes.filter(
      ({ start: begun, done }) => begun <= position && done > position,
    );
    return [promised?.value, ...underWay.map(({ value }) => value)];
  }
}

/** Tells that the command has succeeded, and where it matters with what. */
export type Pending = (position: number, ...value: [] | [string | undefined]) => void;
