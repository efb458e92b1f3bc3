/**
 * Creates a fork: a box that starts from a memory snapshot.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { forkWritableLayer } from '../disks/fork-writable-layer.ts';
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
import { checkUserNetwork } from '../spec/network-spec.ts';
import { checkNewName, type RecordHost, recordBox } from './record-box.ts';

/** What a fork gets from its request, and not from its source box. */
export interface ForkRequest {
  readonly name: string | undefined;
  /** The ports of the source are not inherited. */
  readonly ports: readonly Port[];
  readonly autoRemove: boolean;
}

/** What the creation of a fork needs of the server. */
export type ForkHost = RecordHost & AuthorizationHost & Pick<Services, 'snapshots'>;

/**
 * Makes a box whose first start goes on from the snapshot. The image policy decides as for any
 * other box.
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
  await using taken = await rt.snapshots.open(reference);
  const source = BoxDefinition.parse(taken.snapshot.definition);
  if (source.confidential !== undefined) {
    throw new A3sError(
      'unsupported-option',
      'Cannot fork a confidential box: it is measured anew',
      {
        remedy: 'Create another box from the same image.',
      },
    );
  }
  checkUserNetwork({ network: source.network, confidential: false, fork: true });
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
  const snapshot = taken.snapshot.id;
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
      snapshot,
    }),
    (definition) => forkWritableLayer(rt, definition, taken.disk),
  );
  publish(rt, box, 'create', { ...trustAttributes(trust), snapshot });
  return box;
}
