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

/** With these before its command, docker compose answers by itself. */
const ANSWERED: ReadonlySet<string> = new Set(['-h', '--help', '-v', '--version']);

export interface MeasureArguments {
  /** What docker compose takes before its command. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Undefined where the command is another one. */
export function afterMeasure(args: readonly string[]): MeasureArguments | undefined {
  let at = 0;
  for (let flag = args[at]; flag?.startsWith('-') === true; flag = args[at]) {
    if (ANSWERED.has(flag)) return undefined;
    at += WITH_VALUE.has(flag) ? 2 : 1;
  }
  if (args[at] !== 'measure') return undefined;
  return { before: args.slice(0, at), after: args.slice(at + 1) };
}

/** Whether docker compose reads a Compose file from its standard input. */
export function readsInput({ before }: MeasureArguments): boolean {
  return before.some(
    (word, at) =>
      /^(-f=?|--file=)-$/.test(word) ||
      (word === '-' && /^(-f|--file)$/.test(before[at - 1] ?? '')),
  );
}
