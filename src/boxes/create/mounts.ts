/**
 * The bind mounts and volumes of a new box: its own, and those of other boxes.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import { BLANK_DISK_BYTES } from '../../templates/blank-disk.ts';
import { checkDriverName } from '../../volumes/driver-name.ts';
import { DIRECTORY, type VolumeKind } from '../../volumes/volume.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import type { Bind, VolumeMount } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { checkDestinations } from './binds.ts';
import type { CreateRequest, VolumeMountRequest } from './create-request.ts';
import { imageVolumes } from './image-volumes.ts';

/** As many as the agent takes. */
const MAX_MOUNTS = 64;

/** As `--opt type=disk` asks for it. */
const USUAL_DISK: VolumeKind = { options: { type: 'disk' }, diskBytes: BLANK_DISK_BYTES };

export interface Mounts {
  readonly binds: readonly Bind[];
  readonly volumeMounts: readonly (VolumeMountRequest & { readonly anonymous?: boolean })[];
}

/**
 * The mounts that were asked for, and those of other boxes at every path that is not taken yet.
 * What other boxes have in memory, and images that they mount, are theirs alone.
 *
 * @throws A3sError `no-such-box`, `invalid-argument`
 */
export function mountsOf(
  { store }: Pick<Services, 'store'>,
  {
    binds,
    volumeMounts,
    imageMounts,
    tmpfs,
    mountsFrom,
  }: Pick<CreateRequest, 'binds' | 'volumeMounts' | 'imageMounts' | 'tmpfs' | 'mountsFrom'>,
): Mounts {
  const others = [...imageMounts, ...tmpfs];
  checkDestinations([...binds, ...volumeMounts, ...others]);
  // What a path alone asks for is there already where another box mounts something.
  const asked = volumeMounts.filter(({ form }) => form !== 'path');
  const found: { binds: Bind[]; volumeMounts: Mounts['volumeMounts'][number][] } = {
    binds: [...binds],
    volumeMounts: [...asked],
  };
  const taken = new Set([...binds, ...asked, ...others].map(({ destination }) => destination));
  const isFree = ({ destination }: { readonly destination: string }): boolean => {
    if (taken.has(destination)) return false;
    taken.add(destination);
    return true;
  };
  // A later box wins a place, as in Docker.
  for (const { box, readonly } of [...mountsFrom].reverse()) {
    const { definition } = store.resolve(box);
    const access = readonly === true ? { readonly: true, mode: 'ro' } : {};
    found.binds.push(
      ...definition.binds
        .filter(isFree)
        .map((bind) => ({ ...bind, ...access, inherited: true as const })),
    );
    found.volumeMounts.push(
      ...definition.volumeMounts.filter(isFree).map((mount) => ({
        ...{ ...mount, ...access, noCopy: true },
        ...{ labels: {}, kind: DIRECTORY, form: 'path' as const },
      })),
    );
  }
  found.volumeMounts.push(...volumeMounts.filter(({ form }) => form === 'path').filter(isFree));
  checkCount(found, others);
  return found;
}

/**
 * Adds the volumes that the image declares. They come last: a requested mount at the same place
 * replaces them.
 *
 * A confidential box keeps its files to itself: there such a volume is a directory of the box. The
 * file server of an ordinary user does not keep owners, without which databases do not start: there
 * it is a disk.
 *
 * @throws A3sError `invalid-image`, `invalid-argument`
 */
export function withImageVolumes(
  { volumes }: Pick<Services, 'volumes'>,
  { binds, volumeMounts }: Mounts,
  {
    imageMounts,
    tmpfs,
    confidential,
  }: Pick<CreateRequest, 'imageMounts' | 'tmpfs' | 'confidential'>,
  { config }: Pick<Image, 'config'>,
): Mounts {
  if (confidential !== undefined) return { binds, volumeMounts };
  const kind = volumes.keepOwners ? DIRECTORY : USUAL_DISK;
  const others = [...imageMounts, ...tmpfs];
  const declared = imageVolumes(config.volumes, [...binds, ...volumeMounts, ...others], kind);
  const mounts = { binds, volumeMounts: [...volumeMounts, ...declared] };
  checkCount(mounts, others);
  return mounts;
}

/**
 * The driver is of volumes that the box asks for by a name or a path alone: a long form has its
 * own. As in Docker, a driver that makes no volume need not exist.
 *
 * @throws A3sError `no-such-driver`
 */
export function checkVolumeDriver(driver: string | undefined, { volumeMounts }: Mounts): void {
  const made = volumeMounts.some(({ form, name }) => {
    return form === 'bind' || (form === 'path' && name === undefined);
  });
  if (made) checkDriverName(driver ?? '');
}

/** @param others of other kinds */
function checkCount({ binds, volumeMounts }: Mounts, others: readonly unknown[]): void {
  const count = binds.length + volumeMounts.length + others.length;
  if (count <= MAX_MOUNTS) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot create the box: it has ${count} mounts, more than ${MAX_MOUNTS}`,
    { remedy: 'Mount directories that hold several of them.' },
  );
}

/** Volumes that were made for a box, until a record of it holds them. */
export interface MadeVolumes extends AsyncDisposable {
  readonly mounts: readonly VolumeMount[];
  /** Called when the box is on record. Makes again what was removed until then. */
  ensure(): Promise<void>;
  /** The box stays: so do the volumes. */
  keep(): void;
}

/**
 * Makes the volumes that are missing. Disposing of them removes the anonymous ones, unless a box
 * keeps them.
 *
 * @throws A3sError `invalid-argument`
 */
export async function makeVolumes(
  volumes: Volumes,
  requests: Mounts['volumeMounts'],
): Promise<MadeVolumes> {
  const anonymous: string[] = [];
  let kept = false;
  const dispose = async (): Promise<void> => {
    if (kept) return;
    for (const name of anonymous) await volumes.removeUnused(name);
  };
  const mounts: VolumeMount[] = [];
  const kinds = new Map<string, VolumeKind>();
  try {
    for (const { labels, kind, name: asked, ...mount } of requests) {
      const { name } = await volumes.create({ name: asked, labels, kind });
      kinds.set(name, kind);
      if (asked === undefined) anonymous.push(name);
      mounts.push({ anonymous: asked === undefined, ...mount, name });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const ensure = async (): Promise<void> => {
    for (const { name } of mounts) {
      const kind = kinds.get(name) ?? DIRECTORY;
      await volumes.create({ name, anonymous: anonymous.includes(name), kind });
    }
  };
  const keep = (): void => {
    kept = true;
  };
  return { mounts, ensure, keep, [Symbol.asyncDispose]: dispose };
}
