/**
 * `--key` of the signing commands: a key file, or a variable of the environment. The key stays in
 * this process.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { A3sError } from '../../errors.ts';
import type { Invocation } from '../command.ts';
import type { Context } from '../context.ts';
import { inputName, readInput } from '../files/input-file.ts';
import { string } from '../flags/flag.ts';
import { Prompt } from '../terminal/prompt.ts';
import { signalStatus } from '../terminal/signals.ts';
import { UsageError } from '../usage-error.ts';
import { withSigning } from './signing-library.ts';

const MAX_KEY_FILE = 128 * 1024;
const ENVIRONMENT = 'env://';
/** In this order; a password may be empty. */
const PASSWORDS = ['A3S_SIGNING_PASSWORD', 'COSIGN_PASSWORD'];
/** Key stores that cosign supports, and this command does not. */
const OTHER_SCHEME = /^[a-z0-9+.-]+:\/\//i;
const OTHERS_MAY = 0o077;

export const KEY_FLAG = string(
  'key',
  'Private key: a file, or env://NAME; PKCS #8 in PEM, or of cosign generate-key-pair',
);

export type SigningKey = Awaited<ReturnType<typeof import('#signing').readSigningKey>>;

/** @throws A3sError `key-invalid`; UsageError for a file that cannot be read */
export async function signingKey({ context, flags }: Invocation): Promise<SigningKey> {
  return signingKeyAt(
    context,
    flags.needed('key', (text) => text),
    '--key',
  );
}

/** The same of a flag that was read already. */
export async function signingKeyAt(
  context: Context,
  place: string,
  flag: string,
): Promise<SigningKey> {
  const text = await keyText(context, place, flag);
  return withSigning(({ readSigningKey }) =>
    readSigningKey(text, inputName(place), () => password(context)),
  );
}

/**
 * The key that `flag` names, for signatures of another form; undefined where it is not given.
 *
 * @throws as {@link signingKey}
 */
export async function privateKey(
  { context, flags }: Invocation,
  flag: string,
): Promise<KeyObject | undefined> {
  const place = flags.parsed(flag, (text) => text);
  if (place === undefined) return undefined;
  const text = await keyText(context, place, `--${flag}`);
  return withSigning(({ readPrivateKey }) =>
    readPrivateKey(text, inputName(place), () => password(context)),
  );
}

function keyText(context: Context, place: string, flag: string): Promise<string> | string {
  return place.startsWith(ENVIRONMENT)
    ? fromEnvironment(context, place.slice(ENVIRONMENT.length))
    : fromFile(context, place, flag);
}

function fromEnvironment({ env }: Context, name: string): string {
  const text = env[name];
  if (text !== undefined && text !== '') return text;
  throw new A3sError('key-invalid', `Cannot sign with ${ENVIRONMENT}${name}: it is not set`, {
    remedy: 'Export the variable with the private key in PEM.',
  });
}

async function fromFile(context: Context, path: string, flag: string): Promise<string> {
  if (OTHER_SCHEME.test(path)) {
    const [scheme = ''] = path.split('://');
    throw new A3sError(
      'key-invalid',
      `Cannot sign with ${scheme}:// keys: they are not supported`,
      {
        remedy: 'Name a file, or env://NAME.',
      },
    );
  }
  const bytes = await readInput(context, path, MAX_KEY_FILE, flag);
  await warnOfReaders(context, path);
  return Buffer.from(bytes).toString('latin1');
}

async function warnOfReaders(context: Context, path: string): Promise<void> {
  if (path === '-') return;
  const file = await stat(resolve(context.cwd, path));
  if (!file.isFile() || (file.mode & OTHERS_MAY) === 0) return;
  const mode = (file.mode & 0o7777).toString(8).padStart(4, '0');
  context.stderr.write(
    `WARNING: others than you may use the private key ${path} (mode ${mode}): chmod 600 it.\n`,
  );
}

/**
 * Undefined where there is no terminal to ask at.
 *
 * @throws UsageError where the user aborts the prompt
 */
async function password(context: Context): Promise<string | undefined> {
  const known = PASSWORDS.map((name) => context.env[name]).find((text) => text !== undefined);
  if (known !== undefined || context.stdin.isTTY !== true) return known;
  // The prompt is not part of the output.
  const prompt = new Prompt({ ...context, stdout: context.stderr });
  const typed = await prompt.askSecret('Enter password for private key: ');
  if (typed !== undefined) return typed;
  throw new UsageError('no password was given', { status: signalStatus('SIGINT') });
}
