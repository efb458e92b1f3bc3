/**
 * Boxes that start from a template, as a benchmark's precondition.
 *
 * @module
 */
import type { Actor } from '../test/e2e/actor.ts';

const WARM_MS = 300_000;

/**
 * Makes the templates that are missing and waits for them.
 *
 * @throws Error where this installation has none: what starts cold must not be measured as warm
 */
export async function warm(actor: Actor): Promise<void> {
  const { code, stderr } = await actor.run(['template', 'warm'], { deadlineMs: WARM_MS });
  if (code !== 0) {
    throw new Error(
      `Cannot start boxes warm here: a3s-box template warm ended with ${code}: ${stderr.trim()}`,
    );
  }
  await checkWarm(actor);
}

/** @throws Error when no template is left: the boxes since then may have started cold */
export async function checkWarm(actor: Actor): Promise<void> {
  if ((await actor.ok(['template', 'ls', '--quiet'])) === '') {
    throw new Error('Cannot start boxes warm here: a3s-box template ls shows no template.');
  }
}
