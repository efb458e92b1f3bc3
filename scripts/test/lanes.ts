/**
 * Two stages at a time: a guest has one processor, and the other one of the host would wait.
 *
 * @module
 */
import type { Selection } from './reach.ts';
import { STAGE_NAMES, type StageName } from './stage-names.ts';

export interface Lanes {
  /** One after the other, each printing as it goes. */
  readonly front: readonly StageName[];
  /** Meanwhile, also one after the other. */
  readonly beside: readonly StageName[];
}

export function lanesOf(stages: readonly StageName[], processors: number): Lanes {
  const ordered = STAGE_NAMES.filter((name) => stages.includes(name));
  const others = ordered.filter((name) => name !== 'vm');
  if (processors < 2 || others.length === 0 || others.length === ordered.length) {
    return { front: ordered, beside: [] };
  }
  return { front: ['vm'], beside: others };
}

/** What measures processors, disks or memory of the host, or takes all of them: these have the machine to themselves. */
export const ALONE: readonly string[] = ['resources', 'hostile-guest', 'gates'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/** The chosen files of the vm stage: those that may have others beside them, and those that may not. */
export function splitMachines(
  files: readonly string[],
  selection: Selection,
): { readonly shared: readonly string[]; readonly alone: readonly string[] } {
  const chosen = files.filter(
    (file) => selection === 'all' || selection.some((path) => file.startsWith(path)),
  );
  return {
    shared: chosen.filter((file) => !ALONE.includes(file)),
    alone: chosen.filter((file) => ALONE.includes(file)),
  };
}
