/**
 * The disks of a confidential pod's container. Its launch spec names the layers, so the guest can
 * be given no others, and the same container can start again from the disks that are there.
 *
 * @module
 */
import type { PodLaunchSpec } from '@a3s-box/policies';
import type { Disk } from '../../engine/vm/devices.ts';
import { A3sError } from '../../errors.ts';
import type { VerityLayer } from '../../images/image.ts';
import { namedContainer } from './pod-launch-spec.ts';

export interface ContainerDisks {
  /** Under which they are attached. */
  readonly name: string;
  readonly disks: readonly Disk[];
}

/** @throws A3sError `verity-mismatch` where the layers are not those of the launch spec */
export function containerDisks(
  spec: PodLaunchSpec,
  container: string,
  layers: readonly VerityLayer[],
): ContainerDisks {
  const { index, named } = namedContainer(spec, container);
  const roots = (list: readonly Pick<VerityLayer, 'diffId' | 'bytes' | 'root'>[]): string =>
    list.map(({ diffId, bytes, root }) => `${diffId} ${bytes} ${root}`).join('\n');
  if (roots(layers) !== roots(named.rootfs.layers)) {
    throw new A3sError(
      'verity-mismatch',
      'Cannot start the container: the layers of its image are not those that its pod’s launch spec names',
      { remedy: 'Measure the pod again: its launch spec then names the layers as they are now.' },
    );
  }
  return {
    name: `c${index}`,
    disks: layers.map(({ path }, layer) => ({
      ...{ path, serial: `c${index}-l${layer}`, readonly: true },
    })),
  };
}
