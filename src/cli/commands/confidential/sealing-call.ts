/**
 * What `seal` and `unseal` have in common: a verified box, a key that its launch spec names, and
 * one value on standard input.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import type { Invocation } from '../../command.ts';
import { InputError } from '../../files/input-error.ts';
import { string } from '../../flags/flag.ts';
import { printFailure } from '../../print-failure.ts';
import { privateKey } from '../../signing/signing-key.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { UsageError } from '../../usage-error.ts';
import { SIMULATED_BANNER } from '../attest/verdict/verdict-text.ts';
import type { Peer } from '../ratls/box-verdict.ts';
import { inputErrorOf, isRejection, type Session } from '../ratls/open-session.ts';
import { type Library, trustOf } from '../ratls/peer-flags.ts';
import { withSession } from '../ratls/with-session.ts';

export const PURPOSE_FLAG = string('purpose', 'What the value is for, such as db/key', {
  value: 'name',
});

export const SEALING_DESCRIPTION = [
  'Its launch spec must name the key (--sealer of run); it is Ed25519, or on P-256 or P-384. The',
  'password of an encrypted key is taken from A3S_SIGNING_PASSWORD or COSIGN_PASSWORD, or asked for.',
];

export interface SealingCall {
  readonly library: Library;
  readonly purpose: string;
  readonly key: KeyObject;
  readonly signal: AbortSignal;
}

/**
 * Runs `act` in a session with the box that the command names, and writes what it returns. `read`
 * comes first: what cannot be sealed or opened needs no box.
 */
export async function callSealer<Input>(
  invocation: Invocation,
  route: 'seal' | 'unseal',
  read: (library: Library, purpose: string) => Promise<Input>,
  act: (session: Session, call: SealingCall, input: Input) => Promise<Uint8Array>,
): Promise<number> {
  const { context, flags, operands } = invocation;
  const [target = ''] = operands;
  const library = await import('#ratls');
  const purpose = flags.needed('purpose', (text) => parsePurpose(library, text));
  flags.needed('key', (text) => text);
  const trust = await trustOf(context, flags, library);
  const key = await sealerKey(invocation, library);
  const input = await read(library, purpose);
  return interruptible(context, async (signal) => {
    const call = { library, purpose, key, signal };
    const request = { context, library, target, trust, signal, route };
    return exitStatusOf(invocation, library, async () => {
      const made = await withSession(request, (session) => {
        printBanner(invocation, session);
        return act(session, call, input);
      });
      await write(context.stdout, made);
    });
  });
}

function printBanner({ context }: Invocation, { peer }: Session): void {
  if (peer.simulated) context.stderr.write(SIMULATED_BANNER);
}

/** 0, or 1 where the box, its guest or a rule of the envelope refuses. */
async function exitStatusOf(
  { context }: Invocation,
  library: Library,
  act: () => Promise<void>,
): Promise<number> {
  try {
    await act();
    return 0;
  } catch (error) {
    if (error instanceof library.SealingError) {
      printFailure(context, new InputError(error.code, error.message, error));
      return 1;
    }
    if (!(error instanceof library.RatlsError)) throw error;
    const refused = error.found === error.code || error.bySpec;
    if (!refused && error.code !== 'refused' && !isRejection(library, error)) {
      throw inputErrorOf(error);
    }
    printFailure(context, inputErrorOf(error));
    return 1;
  }
}

/** The guest that a verified session is with, as the rules of envelopes ask for it. */
export function guestOf({ tee, spec, claims }: Peer) {
  const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
  return {
    tee,
    sealing: spec.sealing,
    hostData: hex(claims.hostData),
    measurement: hex(claims.measurement),
    idKeyDigest: hex(claims.idKeyDigest),
    guestSvn: claims.guestSvn,
  };
}

function parsePurpose(library: Library, text: string): string {
  if (library.isPurpose(text)) return text;
  throw new RangeError(
    "it takes up to 64 of a-z, 0-9, '.', '_', '/' and '-', and begins with a letter or digit",
  );
}

async function sealerKey(invocation: Invocation, { canInject }: Library): Promise<KeyObject> {
  const key = await privateKey(invocation, 'key');
  if (key === undefined) throw invocation.flags.missing('key');
  if (canInject(key)) return key;
  throw new UsageError('--key: it must be Ed25519, or on P-256 or P-384');
}

function write(stream: NodeJS.WritableStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
