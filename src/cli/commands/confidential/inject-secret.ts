import type { KeyObject } from 'node:crypto';
import type { Command, Invocation } from '../../command.ts';
import type { Context } from '../../context.ts';
import { readInput } from '../../files/input-file.ts';
import { byName } from '../../flags/flag.ts';
import { printFailure } from '../../print-failure.ts';
import { KEY_FLAG, privateKey } from '../../signing/signing-key.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { UsageError } from '../../usage-error.ts';
import { SIMULATED_BANNER } from '../attest/verdict/verdict-text.ts';
import { inputErrorOf, isRejection, type Session } from '../ratls/open-session.ts';
import { PEER_FLAGS, trustOf } from '../ratls/peer-flags.ts';
import { type SessionRequest, withSession } from '../ratls/with-session.ts';

/** Names of secrets, as the launch spec has them. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const MAX_VALUE = 64 * 1024;

interface Secret {
  readonly name: string;
  readonly value: Uint8Array;
}

export const injectSecret: Command = {
  usage: '[OPTIONS] --policy FILE --key FILE HOST:PORT|BOX NAME=VALUE|NAME=@FILE|NAME=- [...]',
  description: [
    'Verify a confidential box as attest box does, and deliver secrets into its memory, once each.',
    'A value on the command line can be seen by others on this host: name a file, or - for standard',
    'input. The launch spec of the box must name the key; it is Ed25519, or on',
    'P-256 or P-384. The password of an encrypted key is taken from A3S_SIGNING_PASSWORD or',
    'COSIGN_PASSWORD, or asked for.',
    'Exits with 0 if all are delivered, 1 if the box is rejected or refuses, 2 if that cannot be decided.',
  ].join('\n'),
  flags: byName([...PEER_FLAGS, KEY_FLAG]),
  operands: { min: 2, max: 65 },
  usageStatus: 2,
  failureStatus: 2,
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const [target = '', ...texts] = operands;
    const named = texts.map(parseSecret);
    flags.needed('key', (text) => text);
    const library = await import('#ratls');
    const trust = await trustOf(context, flags, library);
    const key = await injectorKey(invocation);
    const secrets: Secret[] = [];
    for (const [name, place] of named)
      secrets.push({ name, value: await secretValue(context, place) });
    return interruptible(context, (signal) =>
      injectAll({ context, library, target, trust, signal }, secrets, key),
    );
  },
};

async function injectAll(
  request: SessionRequest,
  secrets: readonly Secret[],
  key: KeyObject,
): Promise<number> {
  const { context, library } = request;
  const injector = new Injector(request, secrets, key);
  try {
    await withSession(request, (session) => injector.proceed(session));
    return 0;
  } catch (error) {
    if (!(error instanceof library.RatlsError)) throw error;
    const refused = library.AGENT_CODES.some((code) => code === error.code) && !isOwn(error);
    if (!refused && error.code !== 'refused' && !isRejection(library, error)) {
      throw inputErrorOf(error);
    }
    printFailure(context, inputErrorOf(error));
    return 1;
  }
}

/** Injects secrets, in further sessions where one breaks off. */
class Injector {
  readonly #request: SessionRequest;
  readonly #secrets: readonly Secret[];
  readonly #key: KeyObject;
  #announced = false;
  #next = 0;
  /** The answer about the next secret was lost with an earlier session. */
  #unanswered = false;

  constructor(request: SessionRequest, secrets: readonly Secret[], key: KeyObject) {
    this.#request = request;
    this.#secrets = secrets;
    this.#key = key;
  }

  async proceed(session: Session): Promise<void> {
    const { context } = this.#request;
    if (!this.#announced) {
      if (session.peer.simulated) context.stderr.write(SIMULATED_BANNER);
      warnOfAnyInjector(context, session.peer.spec.secrets, this.#secrets);
      this.#announced = true;
    }
    for (const secret of this.#secrets.slice(this.#next)) {
      await this.#inject(session, secret);
      context.stdout.write(`${secret.name}\n`);
      this.#next += 1;
      this.#unanswered = false;
    }
  }

  async #inject(session: Session, { name, value }: Secret): Promise<void> {
    const { library, signal } = this.#request;
    try {
      await session.injectSecret(name, value, this.#key, { signal });
    } catch (error) {
      if (!(error instanceof library.RatlsError)) throw error;
      if (error.code === 'secret-already-delivered' && this.#unanswered) {
        throw new library.RatlsError(
          error.code,
          `Cannot tell who injected ${name}: the answer to an earlier attempt was lost.`,
          { found: error.found, remedy: 'See in the box whether it has your value.' },
        );
      }
      this.#unanswered ||= error.code === 'closed';
      throw error;
    }
  }
}

type Declared = readonly { readonly name: string; readonly allowAnyInjector: boolean }[];

function warnOfAnyInjector(
  context: Context,
  declared: Declared,
  secrets: readonly Pick<Secret, 'name'>[],
): void {
  for (const { name, allowAnyInjector } of declared) {
    if (!allowAnyInjector || !secrets.some((secret) => secret.name === name)) continue;
    context.stderr.write(`WARNING: any client that reaches the box may inject ${name}.\n`);
  }
}

async function injectorKey(invocation: Invocation): Promise<KeyObject> {
  const key = await privateKey(invocation, 'key');
  if (key === undefined) throw invocation.flags.missing('key');
  const { canInject } = await import('#ratls');
  if (canInject(key)) return key;
  throw new UsageError('--key: it must be Ed25519, or on P-256 or P-384');
}

function parseSecret(text: string): readonly [name: string, place: string] {
  const at = text.indexOf('=');
  const name = text.slice(0, Math.max(at, 0));
  if (NAME.test(name)) return [name, text.slice(at + 1)];
  // The typed text may be the secret itself.
  throw new UsageError('a secret is NAME=VALUE, NAME=@FILE or NAME=-');
}

async function secretValue(context: Context, place: string): Promise<Uint8Array> {
  if (place === '-') return readInput(context, '-', MAX_VALUE, '');
  if (place.startsWith('@')) return readInput(context, place.slice(1), MAX_VALUE, '');
  return Buffer.from(place, 'utf8');
}

/** Whether this side timed out or refused the size. An agent that did names its code in `found`. */
function isOwn({
  code,
  found,
}: {
  readonly code: string;
  readonly found?: string | undefined;
}): boolean {
  return (code === 'timeout' || code === 'too-large') && found !== code;
}
