/**
 * A root key that the secure processor derives, where the broker is a confidential box.
 *
 * The file has a reference for each epoch: the agent of the guest, and no other guest, gets the key
 * of it. The references are public, and lead to nothing outside.
 *
 * @module
 */
import { parseHeader, SealingError, type SealingPolicy } from '@a3s-box/sealing';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { epochFile } from '../epoch-file.ts';
import { type HeldKey, type KeyFormat, openHeldKeys } from '../held-root-keys.ts';
import { createPrivateFile } from '../private-file.ts';
import type { RootKeys } from '../root-keys.ts';
import { type Derived, deriveAgain, deriveNew } from './agent-derive.ts';

/** Where the references are, and which keys they are of. */
export interface DerivedPlace {
  readonly references: string;
  /** The socket of the agent. */
  readonly socket: string;
  readonly policy: SealingPolicy;
  /** Whether keys of a simulated processor count, which protect nothing. */
  readonly allowSimulated: boolean;
}

const MAX_EPOCHS = 16;
/** HMAC-SHA-256 of the header follows it. */
const MAC_BYTES = 32;

/** Makes the first epoch, in a new file. @throws A3sError `root-key`, `broker-conflict` */
export async function createDerivedKey(place: DerivedPlace): Promise<void> {
  const format = formatOf(place);
  const { entry } = await format.make(1);
  await createPrivateFile(place.references, format.textOf(new Map([[1, entry]])));
}

/** @throws A3sError `root-key` */
export function openDerivedKeys(place: DerivedPlace): Promise<RootKeys> {
  return openHeldKeys(place.references, formatOf(place));
}

function formatOf(place: DerivedPlace): KeyFormat {
  const { socket, policy } = place;
  const reference = z.string().regex(/^[A-Za-z0-9+/]{300,600}={0,2}$/);
  return {
    maxEpochs: MAX_EPOCHS,
    ...epochFile('a3s-box/broker-derived-root-key/v1', 'reference', reference, MAX_EPOCHS),
    make: async (epoch) => {
      const purpose = purposeOf(epoch);
      return held(await deriveNew(socket, { purpose, policy }), place, epoch);
    },
    open: async (epoch, entry) => {
      const asked = Buffer.from(entry, 'base64');
      requireReference(asked, place, epoch);
      return (await deriveAgain(socket, { purpose: purposeOf(epoch), reference: asked })).key;
    },
  };
}

function held(derived: Derived, place: DerivedPlace, epoch: number): HeldKey {
  requireReference(derived.reference, place, epoch);
  return { key: derived.key, entry: derived.reference.toString('base64') };
}

/** Each epoch has keys of its own. */
function purposeOf(epoch: number): string {
  return `broker/root-key/${epoch}`;
}

/** The agent decides too. This names what the configuration does not accept. */
function requireReference(reference: Buffer, place: DerivedPlace, epoch: number): void {
  const problem = problemOf(reference, place, epoch);
  if (problem === undefined) return;
  throw new A3sError('root-key', `Cannot use epoch ${epoch} of the root key: ${problem}`, {
    remedy: 'Use the file of references that the broker used last, and the policy of its time.',
  });
}

function problemOf(reference: Buffer, place: DerivedPlace, epoch: number): string | undefined {
  try {
    const { header, size } = parseHeader(reference);
    if (reference.length !== size + MAC_BYTES) return 'its reference is damaged';
    if (header.purpose !== purposeOf(epoch)) return `its reference is of ${header.purpose}`;
    if (header.policy !== place.policy) return `its reference is ${header.policy}`;
    if (header.tee === 'simulated' && !place.allowSimulated) {
      return 'a simulated processor derives it, which allowSimulated does not permit';
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof SealingError)) throw error;
    return `its reference is damaged (${error.code})`;
  }
}
