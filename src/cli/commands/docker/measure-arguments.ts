/**
 * Parts a command line of `compose` at its command `measure`.
 *
 * @module
 */

/** Flags of docker compose before its command that take the next argument as their value. */
const WITH_VALUE: ReadonlySet<string> = new Set([
  ...['-f', '--file', '-p', '--project-name', '--profile', '--env-file', '--project-directory'],
  ...['--workdir', '--ansi', '--parallel', '--progress'],
]);

export interface MeasureArguments {
  /** What docker compose takes before its command. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Undefined where the command is another one. */
export function afterMeasure(args: readonly string[]): MeasureArguments | undefined {
  let at = 0;
  while (args[at]?.startsWith('-') === true) at += WITH_VALUE.has(args[at] ?? '') ? 2 : 1;
  if (args[at] !== 'measure') return undefined;
  return { before: args.slice(0, at), after: args.slice(at + 1) };
}
