/**
 * Creates a fork, a box that starts from a memory snapshot, or a box that has the disk of a
 * snapshot.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { DIRECTORY } from '../../volumes/volume.ts';
import { forkWritableLayer } from '../disks/fork-writable-layer.ts';
import { replaceWritableLayer } from '../disks/replace-writable-layer.ts';
import {
  type AuthorizationHost,
  authorizeImage,
  type TrustOptions,
} from '../policy/authorize-image.ts';
import { namesOnRecord } from '../policy/trust-names.ts';
import { trustAttributes, trustRecord } from '../policy/trust-record.ts';
import { type Box, BoxDefinition, type Port } from '../record/box.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { checkForkNetwork } from '../spec/network-spec.ts';
import { type Mounts, makeVolumes } from './mounts.ts';
import { checkNewName, type RecordHost, recordBox } from './record-box.ts';

/** What a fork gets from its request, and not from its source box. */
export interface ForkRequest {
  readonly name: string | undefined;
  /** The ports of the source are not inherited. */
  readonly ports: readonly Port[];
  readonly autoRemove: boolean;
}

/** What the creation of a box from a snapshot needs of the server. */
export type ForkHost = RecordHost & AuthorizationHost & Pick<Services, 'snapshots' | 'volumes'>;

/**
 * Makes a box from a snapshot: its first start goes on from the memory, or boots on the disk. The
 * image policy decides as for any other box.
 *
 * @throws A3sError for options that do not fit, before anything is changed
 */
export async function createFork(
  rt: ForkHost,
  reference: string,
  request: ForkRequest,
  options: TrustOptions = {},
): Promise<Box> {
  const name = checkNewName(rt, request.name);
  const { id, kind } = rt.snapshots.resolve(reference);
  if (kind === 'memory') {
    await using taken = await rt.snapshots.open(id);
    const source = BoxDefinition.parse(taken.snapshot.definition);
    const given = { snapshot: id };
    const make = (definition: BoxDefinition) => forkWritableLayer(rt, definition, taken.disk);
    return await create(rt, { name, source, id, request, options, given, make });
  }
  // It stays until the box has its files.
  return await rt.locks.run(id, async () => {
    const source = BoxDefinition.parse(rt.snapshots.expectDisk(id).definition);
    await using volumes = await makeVolumes(rt.volumes, mountsLike(rt, source));
    const given = { volumeMounts: [...volumes.mounts] };
    const make = async (definition: BoxDefinition): Promise<void> => {
      await volumes.ensure();
      await replaceWritableLayer(rt, definition, rt.snapshots.diskDirectory(id));
    };
    const incomplete = true;
    const box = await create(rt, { name, source, id, request, options, given, make, incomplete });
    volumes.keep();
    return box;
  });
}

/**
 * The volumes of a box that boots on the disk of another: the same ones, but for those that were
 * made for that box, in whose places it has its own.
 *
 * @throws A3sError `no-such-volume` for one that was removed since: an empty one in its place would
 * not be what the disk was used with
 */
function mountsLike(
  { volumes }: Pick<Services, 'volumes'>,
  { volumeMounts }: BoxDefinition,
): Mounts['volumeMounts'] {
  for (const { name, anonymous } of volumeMounts) if (!anonymous) volumes.expect(name);
  return volumeMounts.map(({ name, anonymous, ...mount }) => ({
    ...mount,
    ...{ labels: {}, name: anonymous ? undefined : name },
    kind: anonymous ? volumes.kindLike(name) : DIRECTORY,
  }));
}

interface Given {
  readonly name: string | undefined;
  /** The definition of the box that the snapshot was made of. */
  readonly source: BoxDefinition;
  /** Of the snapshot. */
  readonly id: string;
  readonly request: ForkRequest;
  readonly options: TrustOptions;
  readonly given: Partial<BoxDefinition>;
  /** Makes the first content of the box's directory. */
  readonly make: (definition: BoxDefinition) => Promise<void>;
  /** The box is nothing without that content. */
  readonly incomplete?: boolean;
}

async function create(
  rt: ForkHost,
  { name, source, id: snapshot, request, options, given, make, incomplete = false }: Given,
): Promise<Box> {
  if (source.confidential !== undefined) {
    throw new A3sError(
      'unsupported-option',
      'Cannot fork a confidential box: it is measured anew',
      {
        remedy: 'Create another box from the same image.',
      },
    );
  }
  if (source.egressSecrets !== undefined) {
    throw new A3sError(
      'unsupported-option',
      'Cannot make a box from the snapshot: its source has egress secrets, which no snapshot has',
      { remedy: 'Create another box with --egress-secret.' },
    );
  }
  checkForkNetwork(source.network);
  if (source.network === 'none' && request.ports.length > 0) {
    throw new A3sError('invalid-argument', 'Cannot publish ports of a box without a network', {
      remedy: 'The snapshot was made of one that was started with --network none.',
    });
  }
  const image = await pinnedImage(rt, source);
  const { reference: called, names = namesOnRecord(called, image) } = source.image;
  const trust = trustRecord(
    await authorizeImage(rt, { image, reference: called, names, confidential: false }, options),
  );
  const box = await recordBox(
    rt,
    name,
    (unique) => ({
      ...source,
      ...unique,
      trust,
      hostname: unique.id.slice(0, 12),
      ports: [...request.ports],
      publishAll: false,
      autoRemove: request.autoRemove,
      // A box that is removed at its end is not started again.
      ...(request.autoRemove ? { restart: { name: 'no', maximumRetryCount: 0 } } : {}),
      attach: { stdin: false, stdout: true, stderr: true },
      snapshot: undefined,
      ...given,
    }),
    make,
    { incomplete },
  );
  publish(rt, box, 'create', { ...trustAttributes(trust), snapshot });
  return box;
}
