/**
 * Makes the two documents of a container's start from its record: the disks for the microVM, and
 * the container spec for the agent.
 *
 * @module
 */
import { CONTAINER_SPEC_SCHEMA, ContainerSpec } from '@a3s-box/policies';
import { POD_SHARE } from '../../boxes/spec/pod-shape.ts';
import type { MountedImages } from '../../boxes/start/mount-images.ts';
import type { Disk } from '../../engine/vm/devices.ts';
import { TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import type { BootLayer } from '../../images/image.ts';
import { mountName } from '../mounts/pod-mounts.ts';
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

export interface DescribedContainer {
  /** For the slots that the microVM has from its template. */
  readonly slots: readonly Disk[];
  /** To be attached to ports. */
  readonly disks: readonly Disk[];
  readonly spec: ContainerSpec;
}

/** @param inSlots its root is in the slots of the template: `disk` is there already */
export function describeContainer(
  { id, process, readonlyRootfs, confinement, resources, mounts, pids }: ContainerDefinition,
  {
    layers,
    disk,
    inSlots,
    images,
    writable,
  }: {
    readonly layers: readonly BootLayer[];
    readonly disk: string;
    readonly inSlots: boolean;
    readonly images: MountedImages;
    /** Of each mount whether any of it can be written, as the node has mounted it. */
    readonly writable: readonly boolean[];
  },
): DescribedContainer {
  const name = diskName(id);
  const serials = inSlots
    ? TEMPLATE_SLOTS
    : { changes: `${name}-changes`, layers: layers.map((_, index) => `${name}-l${index}`) };
  const changes = { path: disk, serial: serials.changes, readonly: false };
  const below = layers.flatMap(({ path }, index) => {
    const serial = serials.layers[index];
    return serial === undefined ? [] : [{ path, serial, readonly: true }];
  });
  return {
    slots: inSlots ? below : [],
    disks: inSlots ? images.disks : [...below, ...images.disks, changes],
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
        // The guest sees one file system, with what is mounted below: where some of that can be
        // written, the node alone keeps the rest from it.
        ...mounts.map(({ containerPath }, index) => ({
          ...{ kind: 'virtiofs', tag: POD_SHARE, file: mountName(id, index) },
          ...{ destination: containerPath, readonly: writable[index] !== true },
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
  describeContainer(definition, {
    ...{ layers: [{ diffId: '', path: '' }], disk: '', inSlots: false, images },
    writable: definition.mounts.map(({ readonly }) => !readonly),
  });
}
