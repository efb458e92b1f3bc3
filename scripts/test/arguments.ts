/**
 * The arguments of `npm test`.
 *
 * @module
 */
import { STAGE_NAMES, type StageName } from './stages.ts';

export class UsageError extends Error {}

export interface TestArguments {
  /** In their order; all of them when none is named. */
  readonly stages: readonly StageName[];
}

export function parseArguments(args: readonly string[]): TestArguments {
  const unknown = args.filter((name) => !(STAGE_NAMES as readonly string[]).includes(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `cannot test ${unknown.join(', ')}: there is no such stage.\nChoose from ${STAGE_NAMES.join(', ')}.`,
    );
  }
  return { stages: STAGE_NAMES.filter((name) => args.length === 0 || args.includes(name)) };
}
