/**
 * The bind mounts and volumes of a new box: its own, and those of other boxes.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Volumes } from '../../volumes/volumes.ts';
import type { Bind, VolumeMount } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { checkDestinations } from './binds.ts';
import type { CreateRequest, VolumeMountRequest } from './create-request.ts';

/** As many as the agent takes. */
const MAX_MOUNTS = 64;

export interface Mounts {
  readonly binds: readonly Bind[];
  readonly volumeMounts: readonly (VolumeMountRequest & { readonly anonymous?: boolean })[];
}

/**
 * The mounts that were asked for, and those of other boxes at every path that is not taken yet. What other boxes have in
 * memory is theirs alone.
 *
 * @throws A3sError `no-such-box`, `invalid-argument`
 */
export function mountsOf(
  { store }: Pick<Services, 'store'>,
  {
    binds,
    volumeMounts,
    tmpfs,
    mountsFrom,
  }: Pick<CreateRequest, 'binds' | 'volumeMounts' | 'tmpfs' | 'mountsFrom'>,
): Mounts {
  checkDestinations([...binds, ...volumeMounts, ...tmpfs]);
  // What a path alone asks for is there already where another box mounts something.
  const asked = volumeMounts.filter(({ form }) => form !== 'path');
  const found: { binds: Bind[]; volumeMounts: Mounts['volumeMounts'][number][] } = {
    binds: [...binds],
    volumeMounts: [...asked],
  };
  const taken = new Set([...binds, ...asked, ...tmpfs].map(({ destination }) => destination));
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
        ...{ labels: {}, form: 'path' as const },
      })),
    );
  }
  found.volumeMounts.push(...volumeMounts.filter(({ form }) => form === 'path').filter(isFree));
  const count = found.binds.length + found.volumeMounts.length + tmpfs.length;
  if (count <= MAX_MOUNTS) return found;
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
 * Makes the volumes that are missing. Disposing of them removes the anonymous ones, unless a box keeps them.
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
  try {
    for (const { labels, name: asked, ...mount } of requests) {
      const { name } = await volumes.create({ name: asked, labels });
      if (asked === undefined) anonymous.push(name);
      mounts.push({ anonymous: asked === undefined, ...mount, name });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const ensure = async (): Promise<void> => {
    for (const { name } of mounts) {
      await volumes.create({ name, anonymous: anonymous.includes(name) });
    }
  };
  const keep = (): void => {
    kept = true;
  };
  return { mounts, ensure, keep, [Symbol.asyncDispose]: dispose };
}
