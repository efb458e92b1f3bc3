/**
 * `attest ear`: verifies an attestation result that a verifier signed.
 *
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Command, Invocation } from '../../../command.ts';
import type { Context } from '../../../context.ts';
import { inputName, readInput } from '../../../files/input-file.ts';
import { bool, byName, int, string } from '../../../flags/flag.ts';
import { jsonText } from '../../../output/json-text.ts';
import { UsageError } from '../../../usage-error.ts';
import { parseInstant } from '../../../values/times/instant.ts';
import { failureOf, tellingPrograms } from '../json-failure.ts';
import { type Library, loadLibrary } from '../load-library.ts';
import { algorithmOf } from './ear-algorithm.ts';
import { describeEar, earDocument, plainText } from './ear-text.ts';
import { earNonce } from './issue-ear.ts';

const MAX_EAR = 256 * 1024;
const MAX_KEY = 16 * 1024;
const DEFAULT_AGE = 300;

type Options = Parameters<Library['verifyEarJwt']>[1];

export const ear: Command = {
  usage: '[OPTIONS] --key FILE --nonce HEX FILE',
  description: [
    'Verify an attestation result (EAR), a JWT or a CWT, by the public key of its verifier.',
    'Exits with 0 if its status is affirming, 1 if it is another one or the result is refused, and',
    '2 if that cannot be decided: a file cannot be read, or a flag is malformed.',
  ].join('\n'),
  flags: byName([
    bool('any-nonce', 'Accept a result that was not asked for: it may be an old one'),
    string('at', 'Time to judge by, such as 2026-03-01T12:00:00Z; now if not given', {
      value: 'time',
    }),
    bool('json', 'Print a JSON document'),
    string('key', 'Public key of the verifier, PEM', { value: 'file' }),
    int('max-age', 'Seconds that the result may be old (default 300)', { value: 'seconds' }),
    string('nonce', 'Nonce that the verifier was given, in hexadecimal', { value: 'hex' }),
  ]),
  operands: { min: 1, max: 1 },
  run: tellingPrograms(run, (cause) => ({ accepted: false, ...failureOf(cause) })),
};

async function run({ context, flags, operands }: Invocation): Promise<number> {
  const [path = ''] = operands;
  const key = await publicKey(context, flags.needed('key', String));
  const library = await loadLibrary();
  const nonce = flags.parsed('nonce', (text) => earNonce(library, text));
  if ((nonce === undefined) !== flags.bool('any-nonce')) {
    throw new UsageError('give either --nonce or --any-nonce', {
      remedy: 'Without the nonce that the verifier was given, a result may be an old one.',
    });
  }
  const maxAgeSeconds = flags.int('max-age') ?? DEFAULT_AGE;
  if (maxAgeSeconds < 1) throw new UsageError('--max-age: it takes a second or more');
  const token = await readInput(context, path, MAX_EAR, '');
  const publicKeyDer = key.export({ format: 'der', type: 'spki' });
  const options: Options = {
    keys: [{ algorithm: algorithmOf(key, '--key'), publicKey: publicKeyDer }],
    nonce: nonce ?? 'any-explicit',
    now: flags.parsed('at', parseInstant) ?? new Date(),
    maxAgeSeconds,
  };
  try {
    const result = await verified(library, token, options);
    const accepted = result.status === 'affirming';
    context.stdout.write(
      flags.bool('json')
        ? jsonText({ accepted, code: accepted ? 'accepted' : 'ear-status', ...earDocument(result) })
        : describeEar(library, result),
    );
    return accepted ? 0 : 1;
  } catch (error) {
    if (!(error instanceof library.AttestationError)) throw error;
    const { code, message, expected, found } = error;
    context.stdout.write(
      flags.bool('json')
        ? jsonText({ accepted: false, code, error: { message, expected, found } })
        : `Refused (${code}): ${inputName(path)}: ${plainText(message)}.\n`,
    );
    return 1;
  }
}

/** CBOR begins with a tag, and a JWT with a letter. */
function verified(library: Library, token: Uint8Array, options: Options) {
  const [first = 0] = token;
  if (first >= 0x80) return library.verifyEarCwt(token, options);
  return library.verifyEarJwt(Buffer.from(token).toString('latin1').trimEnd(), options);
}

async function publicKey(context: Context, path: string): Promise<KeyObject> {
  const bytes = await readInput(context, path, MAX_KEY, '--key');
  const text = Buffer.from(bytes).toString('latin1');
  const name = inputName(path);
  if (text.includes('PRIVATE KEY')) {
    throw new UsageError(`--key: ${name} is a private key`, {
      code: 'key-invalid',
      remedy: 'Get the public one with openssl pkey -in FILE -pubout.',
    });
  }
  try {
    return createPublicKey(text);
  } catch {
    throw new UsageError(`--key: ${name} is not a public key in PEM`, { code: 'key-invalid' });
  }
}
