/**
 * The sealed volumes of a box, as its launch spec names them.
 *
 * @module
 */
import { type LaunchSpec, SealedVolumeName } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import type { VolumeMount } from '../record/box.ts';
import type { ConfidentialRequest } from '../record/confidential-request.ts';

type Mount = Pick<VolumeMount, 'destination' | 'readonly' | 'subpath' | 'form' | 'sealed'> & {
  readonly name?: string | undefined;
};

/**
 * Refuses sealed volumes that no box can have, before anything is made.
 *
 * @throws A3sError `unsupported-option`, `invalid-argument`
 */
export function checkSealed(
  mounts: readonly Mount[],
  confidential: Pick<ConfidentialRequest, 'identity'> | undefined,
): void {
  const names = new Set<string>();
  for (const { name, destination, readonly, subpath, form, sealed } of mounts) {
    if (sealed === undefined) continue;
    if (confidential === undefined) {
      throw refused(
        `the sealed volume ${destination} is not supported for a plain box: it has no secure processor`,
        'Add --tee, or use a volume of type=disk.',
      );
    }
    if (form === 'path') {
      throw refused(
        `the sealed volume ${destination} of another box is not supported: its keys are bound to that box's launch spec`,
        'Leave out --volumes-from.',
      );
    }
    if (readonly || subpath !== undefined) {
      throw refused(
        `the sealed volume ${destination} is mounted whole, and to be written to`,
        'Leave out :ro and volume-subpath.',
      );
    }
    if (!SealedVolumeName.safeParse(name).success) {
      throw invalid(
        `a sealed volume's name has 2 to 57 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit`,
        'Choose such a name.',
      );
    }
    if (names.has(name ?? '')) {
      throw invalid(`the sealed volume ${name} is mounted twice`, 'Mount it once.');
    }
    names.add(name ?? '');
    if (sealed.policy === 'upgradable' && confidential.identity === undefined) {
      throw invalid(
        `the volume ${name} is sealed as upgradable, which binds an ID key, and the box has no ID block`,
        'Sign one with a3s-box boot sign and add --id-block, or leave out upgradable.',
      );
    }
  }
}

/**
 * Fills in the ids of volumes that were named without: those on record.
 *
 * @param volumes undefined where no record counts, as for a relying party that measures
 * @throws A3sError `invalid-argument` for a volume that no box has made yet
 */
export function withIds<M extends Mount>(
  volumes: Pick<Volumes, 'sealedId'> | undefined,
  mounts: readonly M[],
): M[] {
  return mounts.map((mount) => {
    const { name = '', sealed } = mount;
    if (sealed === undefined || sealed.init || sealed.id !== undefined) return mount;
    const id = volumes?.sealedId(name);
    if (id !== undefined) return { ...mount, sealed: { ...sealed, id } };
    throw invalid(
      volumes === undefined
        ? `the sealed volume ${name} has an id that is not known here`
        : `no box has made the sealed volume ${name} yet`,
      volumes === undefined
        ? 'Write sealed,id=ID, or sealed,init as the box that makes the volume has it.'
        : 'Write sealed,init for a box that may make it.',
    );
  });
}

/** In the launch spec: sorted, as the serials of their disks are numbered. */
export function specifiedVolumes(mounts: readonly Mount[]): Pick<LaunchSpec, 'volumes'> {
  const volumes = mounts.flatMap(({ name = '', destination, sealed }) =>
    sealed === undefined ? [] : [{ name, destination, ...sealed }],
  );
  if (volumes.length === 0) return {};
  return { volumes: volumes.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

function refused(why: string, remedy: string): A3sError {
  return new A3sError('unsupported-option', `Cannot create the box: ${why}`, { remedy });
}

function invalid(why: string, remedy: string): A3sError {
  return new A3sError('invalid-argument', `Cannot create the box: ${why}`, { remedy });
}
