/**
 * The arguments of `npm test`.
 *
 * @module
 */
import { STAGE_NAMES, type StageName } from './stage-names.ts';

export class UsageError extends Error {}

export interface TestArguments {
  /** In their order; all of them when none is named. */
  readonly stages: readonly StageName[];
  /** A commit: of the stages, what a change since then can reach. */
  readonly changedSince: string | undefined;
}

const CHANGED = /^--changed(?:=(.+))?$/;

export function parseArguments(args: readonly string[]): TestArguments {
  const names = args.filter((argument) => !CHANGED.test(argument));
  const unknown = names.filter((name) => !(STAGE_NAMES as readonly string[]).includes(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `cannot test ${unknown.join(', ')}: there is no such stage or option.\n` +
        `Choose from ${STAGE_NAMES.join(', ')}, and --changed or --changed=COMMIT.`,
    );
  }
  const changed = args.map((argument) => CHANGED.exec(argument)).find((match) => match !== null);
  return {
    stages: STAGE_NAMES.filter((name) => names.length === 0 || names.includes(name)),
    changedSince: changed === undefined ? undefined : (changed[1] ?? 'HEAD'),
  };
}
