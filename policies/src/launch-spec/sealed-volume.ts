/**
 * A sealed volume of a launch spec: a disk that only guests of this spec can read, and that
 * outlives the box.
 *
 * @module
 */
import * as z from 'zod';
import { absolutePath } from './absolute-path.ts';
import { brokerResource } from './broker.ts';

/** As many as a launch spec has. */
export const MAX_SEALED_VOLUMES = 16;

/**
 * Narrower than Docker's names: it is a part of the purpose that the volume's key is sealed for.
 */
export const SealedVolumeName = z.string().regex(/^[a-z0-9][a-z0-9._-]{1,56}$/);

/** Drawn at random by the guest that makes the volume. */
export const SealedVolumeId = z.string().regex(/^[0-9a-f]{32}$/);

export const SealedVolume = z
  .strictObject({
    name: SealedVolumeName,
    destination: absolutePath.refine(
      (path) =>
        path.split('/').every((part, at) => at === 0 || !['', '.', '..'].includes(part)) &&
        !/^\/(proc|sys|dev)(\/|$)/.test(path),
      { error: 'must have no empty component, . or .., and not be in /proc, /sys or /dev' },
    ),
    /**
     * Which guests get its key: those of this launch digest, also those of a later boot set, or
     * those that the broker gives it to. The last since revision 8.
     */
    policy: z.enum(['exact', 'upgradable', 'broker']),
    /**
     * The guest may make a volume of an empty disk, which the host can always supply. Boxes that
     * rely on existing content must name an id.
     */
    init: z.boolean(),
    /** The only volume that the guest opens. */
    id: SealedVolumeId.optional(),
    /** The path at `broker` of the volume's key. Since revision 8. */
    key: brokerResource.optional(),
    /**
     * The path at `broker` of the volume's counter: the guest refuses a disk that is older. Absent:
     * none. Since revision 6.
     */
    counter: brokerResource.optional(),
  })
  .refine(({ init, id }) => init === (id === undefined), {
    error: 'must have an id, unless init is true',
    path: ['id'],
  })
  .refine(({ policy, key }) => (policy === 'broker') === (key !== undefined), {
    error: 'must be there where policy is broker, and only there',
    path: ['key'],
  });
/** A validated one. */
export type SealedVolume = z.infer<typeof SealedVolume>;
