/**
 * Two stages at a time: a guest has one processor, and the other one of the host would wait.
 *
 * @module
 */
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
