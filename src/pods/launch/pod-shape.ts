/**
 * The shape of pods' microVMs, and their template for a node whose first pod is still to come.
 *
 * @module
 */
import { vmCpus } from '../../boxes/spec/resources.ts';
import type { VmShape, VmSpec } from '../../engine/engine.ts';
import type { PodHost } from '../pod-host.ts';

/**
 * Root ports for what is attached while a pod runs: one for the shares of mounts, and twelve for
 * the disks of containers, each with up to seven layers. As many as a pod of Kubernetes has
 * containers, mostly.
 */
const SPARE_PORTS = 13;

/** @param nanoCpus 0: without a limit */
export function podShape(nanoCpus: number, boot: VmSpec['boot']): VmShape {
  return { cpus: vmCpus(nanoCpus), boot, sparePorts: SPARE_PORTS };
}

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
