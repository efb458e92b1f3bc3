/**
 * Flags as data: one row has a flag's spelling, its kind of value, and the reason if it is refused.
 *
 * @module
 */

export type FlagKind = 'bool' | 'string' | 'int' | 'list';

export interface Flag {
  /** The name without dashes. */
  readonly name: string;
  /** An older spelling that Docker still takes. */
  readonly alias?: string;
  /** One letter. */
  readonly short?: string;
  readonly kind: FlagKind;
  /** Shown in the help after the name, such as `bytes`. */
  readonly value?: string;
  readonly help: string;
  /** The default of a boolean: false unless set. */
  readonly on?: true;
  /**
   * The reason for which this flag of Docker's is refused. Refused flags are not shown in the help.
   */
  readonly refused?: string;
}

type Extra = Pick<Flag, 'short' | 'value' | 'on' | 'alias'>;

export const bool = (name: string, help: string, extra: Extra = {}): Flag => ({
  name,
  kind: 'bool',
  help,
  ...extra,
});

export const string = (name: string, help: string, extra: Extra = {}): Flag => ({
  name,
  kind: 'string',
  help,
  ...extra,
});

export const int = (name: string, help: string, extra: Extra = {}): Flag => ({
  name,
  kind: 'int',
  help,
  ...extra,
});

export const list = (name: string, help: string, extra: Extra = {}): Flag => ({
  name,
  kind: 'list',
  help,
  ...extra,
});

/** A flag of Docker's that is refused; `kind` says whether it would take a value. */
export const refused = (
  name: string,
  reason: string,
  kind: FlagKind = 'string',
  short?: string,
): Flag => ({
  name,
  kind,
  help: '',
  refused: reason,
  ...(short === undefined ? {} : { short }),
});

/** The name of the flag in messages: `-m, --memory` or `--cpus`. */
export function flagLabel(flag: Flag): string {
  return flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
}

/** In the order in which the help shows them. */
export function byName(flags: readonly Flag[]): readonly Flag[] {
  return [...flags].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The flags of every command. */
export const HELP = bool('help', 'Print usage');
