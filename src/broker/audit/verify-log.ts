/**
 * Verifies an audit log: entry by entry, and against signed checkpoints.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import type { StoredEntry } from '../store/store.ts';
import { type Checkpoint, isSignedBy } from './checkpoint.ts';
import { genesis, hashOf, parseEntry } from './entry.ts';

/** What was found first; `seq` is the number of the first bad entry. */
export interface LogProblem {
  readonly seq: number;
  readonly reason: string;
}

export interface LogVerdict {
  readonly problem?: LogProblem;
  /** How many entries are good: all before the problem. */
  readonly entries: number;
  /** The number of the last entry that a checkpoint covers; what follows is chained, not signed. */
  readonly signed: number;
}

/**
 * Reads the entries once, in order. `checkpoints` are those of the log itself and any that were
 * kept elsewhere: they must all agree with it.
 */
export class LogVerifier {
  readonly #checkpoints: readonly Checkpoint[];
  readonly #byNumber = new Map<number, Checkpoint[]>();
  readonly #key: KeyObject;
  #log: string | undefined;
  #previous: string | undefined;
  #entries = 0;
  #signed = 0;
  #problem: LogProblem | undefined;

  constructor(checkpoints: readonly Checkpoint[], key: KeyObject) {
    this.#checkpoints = checkpoints;
    this.#key = key;
    for (const checkpoint of checkpoints) {
      const others = this.#byNumber.get(checkpoint.seq) ?? [];
      this.#byNumber.set(checkpoint.seq, [...others, checkpoint]);
      if (!isSignedBy(checkpoint, key)) {
        this.#fail(checkpoint.seq, 'its checkpoint is not signed by this key');
      }
    }
  }

  /** Begins after an entry that is taken as good. */
  static after(
    checkpoints: readonly Checkpoint[],
    key: KeyObject,
    last: { readonly log: string; readonly seq: number; readonly hash: string },
  ): LogVerifier {
    const verifier = new LogVerifier(checkpoints, key);
    verifier.#log = last.log;
    verifier.#entries = last.seq;
    verifier.#previous = last.hash;
    return verifier;
  }

  /** The next entry; entries after a bad one are ignored. */
  add({ seq, body, hash }: StoredEntry): void {
    const expected = this.#entries + 1;
    if (this.#problem !== undefined && this.#problem.seq <= expected) return;
    const reason = this.#check(expected, { seq, body, hash });
    if (reason === undefined) {
      this.#entries = expected;
      this.#previous = hash;
    } else {
      this.#fail(expected, reason);
    }
  }

  end(): LogVerdict {
    for (const { seq } of this.#checkpoints) {
      if (seq > this.#entries && this.#problem === undefined) {
        const reason = `the log ends after ${this.#entries} entries, and a checkpoint covers ${seq}`;
        this.#fail(this.#entries + 1, reason);
      }
    }
    const verdict = { entries: this.#entries, signed: this.#signed };
    return this.#problem === undefined ? verdict : { ...verdict, problem: this.#problem };
  }

  #check(expected: number, { seq, body, hash }: StoredEntry): string | undefined {
    if (seq !== expected) return `its place is taken by entry ${seq}`;
    const entry = parseEntry(body);
    if (entry === undefined) return 'it is no entry';
    if (entry.seq !== seq) return `it says that it is entry ${entry.seq}`;
    this.#log ??= entry.log;
    if (entry.log !== this.#log) return 'it is of another log';
    if (entry.previous !== (this.#previous ?? genesis(entry.log))) {
      return 'it does not follow the entry before it';
    }
    if (hashOf(body) !== hash) return 'it was edited: its hash is another';
    for (const checkpoint of this.#byNumber.get(seq) ?? []) {
      if (!isSignedBy(checkpoint, this.#key)) return 'its checkpoint is not signed by this key';
      if (checkpoint.log !== this.#log) return 'a checkpoint is of another log';
      if (checkpoint.hash !== hash) {
        return `a checkpoint has another entry: the log was changed there or before it, after entry ${this.#signed}`;
      }
      this.#signed = seq;
    }
    return undefined;
  }

  #fail(seq: number, reason: string): void {
    if (this.#problem === undefined || seq < this.#problem.seq) this.#problem = { seq, reason };
  }
}
