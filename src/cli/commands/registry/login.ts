import type { LoggedIn } from '../../../docker-api/system/auth.ts';
import { A3sError } from '../../../errors.ts';
import { parseReference } from '../../../oci/reference.ts';
import type { Client } from '../../client/client.ts';
import { printable } from '../../client/failure.ts';
import { objectOf, stringOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import type { Context } from '../../context.ts';
import { type Credentials, NOBODY } from '../../credentials/credentials.ts';
import { findCredentials, storeCredentials } from '../../credentials/credentials-store.ts';
import { authDocument } from '../../credentials/registry-auth.ts';
import { DOCKER_HUB, hostOf, registryKey } from '../../credentials/registry-key.ts';
import { readInput } from '../../files/input-file.ts';
import { bool, string } from '../../flags/flag.ts';
import { Prompt } from '../../terminal/prompt.ts';
import { signalStatus } from '../../terminal/signals.ts';
import { UsageError } from '../../usage-error.ts';

const MAX_PASSWORD = 64 * 1024;

export const login: Command = {
  usage: '[OPTIONS] [SERVER]',
  description: 'Log in to a registry: to Docker Hub, if no server is specified',
  flags: [
    string('password', 'Password', { short: 'p' }),
    bool('password-stdin', 'Take the password from stdin'),
    string('username', 'Username', { short: 'u' }),
  ],
  operands: { min: 0, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    checkFlags(invocation);
    const key = serverKey(operands[0]);
    const username = flags.string('username');
    const password = await givenPassword(invocation);
    if (username === undefined && password === undefined) {
      const known = await findCredentials(context.env, hostOf(key));
      if (known !== undefined && (await loginAgain(context, key, known))) return 0;
    }
    const credentials = await completed(context, key, username, password);
    if (credentials === undefined) return signalStatus('SIGINT');
    await logIn(context, await context.connect(), key, credentials);
    return 0;
  },
};

function checkFlags({ context, flags }: Invocation): void {
  if (flags.given('password')) {
    context.stderr.write(
      'WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n',
    );
    if (flags.bool('password-stdin')) {
      throw new UsageError('--password and --password-stdin are mutually exclusive', { status: 1 });
    }
  }
  if (flags.bool('password-stdin') && !flags.given('username')) {
    throw new UsageError('Must provide --username with --password-stdin', { status: 1 });
  }
}

/**
 * The key of a server as it was typed.
 *
 * @throws A3sError `invalid-reference` for text that is no host
 */
export function serverKey(server: string | undefined): string {
  if (server === undefined || server === '') return DOCKER_HUB;
  const key = registryKey(server);
  if (key === DOCKER_HUB || isHost(key)) return key;
  throw new A3sError(
    'invalid-reference',
    `Cannot use ${JSON.stringify(server.slice(0, 200))} as a registry: it must be HOST or HOST:PORT`,
  );
}

/**
 * A host without dot and port would be part of a name at Docker Hub, but a login to it is possible.
 */
function isHost(host: string): boolean {
  const name = host.includes(':') || host.includes('.') ? host : `${host}:443`;
  try {
    return parseReference(`${name}/image`).domain === name;
  } catch (error) {
    if (error instanceof A3sError) return false;
    throw error;
  }
}

async function givenPassword({ context, flags }: Invocation): Promise<string | undefined> {
  if (!flags.bool('password-stdin')) return flags.string('password');
  const bytes = await readInput(context, '-', MAX_PASSWORD, '--password-stdin');
  return Buffer.from(bytes)
    .toString()
    .replace(/\r?\n$/, '');
}

/** The given values, and the rest from the terminal; undefined where the user aborts. */
async function completed(
  context: Context,
  key: string,
  givenName: string | undefined,
  givenSecret: string | undefined,
): Promise<Credentials | undefined> {
  let username = givenName;
  let password = givenSecret;
  const prompt = new Prompt(context);
  if (username === undefined || password === undefined) {
    if (context.stdin.isTTY !== true) {
      throw new UsageError('Cannot perform an interactive login from a non TTY device', {
        status: 1,
        remedy: 'Use --username and --password-stdin.',
      });
    }
    if (username === undefined && key === DOCKER_HUB) {
      context.stdout.write(
        'Log in with your Docker ID, and a personal access token or password, to Docker Hub.\n',
      );
    }
    username ??= (await prompt.ask('Username: '))?.trim();
    if (username === '') throw required('Username');
    if (username === undefined) return undefined;
    password ??= await prompt.askSecret('Password: ');
  }
  if (password === undefined) return undefined;
  if (username === '') throw required('Username');
  if (password === '') throw required('Password');
  return { ...NOBODY, username, password };
}

function required(what: string): UsageError {
  return new UsageError(`${what} required`, { status: 1 });
}

/** Uses the stored credentials; false where the registry no longer accepts them. */
async function loginAgain(context: Context, key: string, known: Credentials): Promise<boolean> {
  context.stdout.write('Authenticating with existing credentials...\n');
  const client = await context.connect();
  try {
    await logIn(context, client, key, known);
    return true;
  } catch (error) {
    if (!(error instanceof A3sError) || !error.code.startsWith('registry-')) throw error;
    context.stderr.write(`Login did not succeed, error: ${error.message}\n`);
    return false;
  }
}

async function logIn(
  context: Context,
  client: Client,
  key: string,
  credentials: Credentials,
): Promise<void> {
  const body = authDocument(key, credentials);
  const answer = objectOf<LoggedIn>(await client.json({ method: 'POST', path: '/auth', body }));
  const identityToken = stringOf(answer.IdentityToken);
  const kept = identityToken === '' ? credentials : { ...credentials, password: '', identityToken };
  const file = await storeCredentials(context.env, key, kept);
  if (file !== undefined) {
    context.stderr.write(
      `WARNING! Your password will be stored unencrypted in ${file}.\n` +
        'Configure a credential helper (credsStore in that file) to remove this warning.\n\n',
    );
  }
  context.stdout.write(`${printable(stringOf(answer.Status)) || 'Login Succeeded'}\n`);
}
