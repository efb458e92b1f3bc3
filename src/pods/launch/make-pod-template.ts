/**
 * The template of pods, for a node whose first pod is still to come.
 *
 * @module
 */
import { podShape } from '../../boxes/spec/pod-shape.ts';
import type { PodHost } from '../pod-host.ts';

/**
 * Has the template of pods without a limit of processors made, where it is missing. Returns before
 * it is there.
 */
export async function makePodTemplate(
  rt: Pick<PodHost, 'boot' | 'templates' | 'log'>,
): Promise<void> {
  if (!rt.templates.enabled) return;
  try {
    const boot = await rt.boot.open(await rt.boot.current());
    rt.templates.booted(podShape(0, boot));
  } catch (error) {
    rt.log.error('the template of pods could not be made', error);
  }
}
