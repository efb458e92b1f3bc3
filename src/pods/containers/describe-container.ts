/**
 * Makes the two documents of a container's start from its record: the disks for the microVM, and
 * the container spec for the agent.
 *
 * @module
 */
import { CONTAINER_SPEC_SCHEMA, ContainerSpec } from '@a3s-box/policies';
import type { MountedImages } from '../../boxes/start/mount-images.ts';
import type { Disk } from '../../engine/engine.ts';
import type { BootLayer } from '../../images/image.ts';
import { mountName, POD_SHARE } from '../mounts/pod-mounts.ts';
import type { ContainerDefinition } from '../record/container.ts';
import { validSpec } from '../valid-spec.ts';

/** Serials have 20 bytes, and names of disks 16 letters and digits. */
const NAME_DIGITS = 12;

/** The name under which the disks of a container are attached. */
export function diskName(id: string): string {
  return id.slice(0, NAME_DIGITS);
}

/** What the serials of the images begin with that a container mounts. */
export function imageSerials(id: string): string {
  return `${diskName(id)}-i`;
}

export function describeContainer(
  { id, process, readonlyRootfs, confinement, resources, mounts, pids }: ContainerDefinition,
  {
    layers,
    disk,
    images,
  }: {
    readonly layers: readonly BootLayer[];
    readonly disk: string;
    readonly images: MountedImages;
  },
): { disks: readonly Disk[]; spec: ContainerSpec } {
  const name = diskName(id);
  const changes = { path: disk, serial: `${name}-changes`, readonly: false };
  const below = layers.map(({ path }, index) => ({
    ...{ path, serial: `${name}-l${index}`, readonly: true },
  }));
  return {
    disks: [...below, ...images.disks, changes],
    spec: validSpec(ContainerSpec, {
      schema: CONTAINER_SPEC_SCHEMA,
      rootfs: {
        layers: below.map(({ serial }) => ({ serial })),
        changes: { kind: 'disk', serial: changes.serial },
        readonly: readonlyRootfs,
      },
      ...{ process, confinement, resources },
      ...(pids === undefined ? {} : { pids }),
      mounts: [
        ...mounts.map(({ containerPath, readonly }, index) => ({
          ...{ kind: 'virtiofs', tag: POD_SHARE, file: mountName(id, index) },
          ...{ destination: containerPath, readonly },
        })),
        ...images.mounts,
      ],
    }),
  };
}

/** @throws A3sError `invalid-argument` for what no agent would take of a new container */
export function checkContainer(definition: ContainerDefinition): void {
  const mounts: MountedImages['mounts'] = definition.imageMounts.map(
    ({ destination, subpath }) => ({
      ...{ kind: 'image', layers: [{ serial: imageSerials(definition.id) }] },
      ...{ destination, readonly: true },
      ...(subpath === undefined ? {} : { subpath }),
    }),
  );
  const images = { disks: [], mounts };
  describeContainer(definition, { layers: [{ diffId: '', path: '' }], disk: '', images });
}
