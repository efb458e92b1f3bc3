/**
 * What is known of an error by its code.
 *
 * @module
 */

/** The properties of a code. */
export interface ErrorRow {
  /** HTTP status of the control server's answer. */
  readonly status: number;
  /** Docker's exit code of a box whose start fails with it; see `exit-code.ts`. */
  readonly exitCode?: 125 | 126 | 127;
  /** A start that fails with this code fails again: no restart policy repeats it. */
  readonly lasting?: true;
  /**
   * Whether the template or the pooled microVM is the cause where a start from it fails with this
   * code. The box then boots without it. `none`: a boot does not need the copy of a template's
   * memory.
   */
  readonly machineFault?: 'certain' | 'possible' | 'none';
  /** A prune goes on: what was to be removed was started, mounted or removed meanwhile. */
  readonly taken?: true;
  /** No answer came from the agent, which may have done what it was asked for. */
  readonly unanswered?: true;
  /** The server refuses by design: its log does not need an entry. */
  readonly unlogged?: true;
  /** For `docs/errors.md`; Markdown, one sentence. */
  readonly meaning: string;
  /** The general remedy. An error's own remedy is more specific. */
  readonly remedy: string;
}
