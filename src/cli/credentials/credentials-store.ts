/**
 * Reads and writes the credentials of registries: in `config.json`, or with the helper that it
 * names.
 *
 * Podman's `auth.json` is read where Docker's has no entry, and is never written.
 *
 * @module
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { isObject, type JsonObject, objectOf } from '../client/json.ts';
import { CredentialHelper } from './credential-helper.ts';
import { type Credentials, entryOf, isSomebody, readEntry } from './credentials.ts';
import { readCredentialsFile, updateCredentialsFile } from './credentials-file.ts';
import { entryFor, registryKey } from './registry-key.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Docker's `config.json`. */
export function configFile(env: Environment): string {
  const directory = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
  return join(directory, 'config.json');
}

/**
 * The credentials for a repository; undefined where there are none.
 *
 * @param repository `registry.example:5000/team/app`; Podman may keep some for a part of a registry
 */
export async function findCredentials(
  env: Environment,
  repository: string,
): Promise<Credentials | undefined> {
  const key = registryKey(repository);
  const path = configFile(env);
  const config = await readCredentialsFile(path);
  const helper = helperOf(config, key, env);
  const found =
    helper === undefined
      ? credentialsOf(path, key, entryFor(objectOf(config['auths']), key))
      : await helper.get(key);
  return found ?? fromPodman(env, repository);
}

/** @returns the file where they are stored unencrypted; undefined where a helper has them */
export async function storeCredentials(
  env: Environment,
  key: string,
  credentials: Credentials,
): Promise<string | undefined> {
  const path = configFile(env);
  const helper = helperOf(await readCredentialsFile(path), key, env);
  await helper?.store(key, credentials);
  // With a helper, Docker records a login as an empty entry.
  const entry = helper === undefined ? entryOf(credentials) : {};
  await updateCredentialsFile(path, (config) => ({
    ...config,
    auths: { ...objectOf(config['auths']), [key]: entry },
  }));
  return helper === undefined ? path : undefined;
}

/** Does nothing where there is no entry. */
export async function eraseCredentials(env: Environment, key: string): Promise<void> {
  const path = configFile(env);
  const config = await readCredentialsFile(path);
  const helper = helperOf(config, key, env);
  const known = Object.keys(objectOf(config['auths'])).some((name) => registryKey(name) === key);
  await helper?.erase(key);
  if (!known) return;
  await updateCredentialsFile(path, (current) => ({
    ...current,
    auths: Object.fromEntries(
      Object.entries(objectOf(current['auths'])).filter(([name]) => registryKey(name) !== key),
    ),
  }));
}

/** The helper for this registry, or the one for all; an empty name means the file. */
function helperOf(config: JsonObject, key: string, env: Environment): CredentialHelper | undefined {
  const name = entryFor(objectOf(config['credHelpers']), key) ?? config['credsStore'];
  if (name === undefined || name === '') return undefined;
  return new CredentialHelper(typeof name === 'string' ? name : JSON.stringify(name), env);
}

/**
 * The most specific of `registry.example/team/app`, `registry.example/team`, `registry.example`.
 */
async function fromPodman(env: Environment, repository: string): Promise<Credentials | undefined> {
  const path = podmanFile(env);
  if (path === undefined) return undefined;
  const file = await readCredentialsFile(path);
  const auths = objectOf(file['auths']);
  for (let name = repository; name.includes('/'); name = name.slice(0, name.lastIndexOf('/'))) {
    if (!Object.hasOwn(auths, name)) continue;
    const found = credentialsOf(path, name, auths[name]);
    if (found !== undefined) return found;
  }
  const key = registryKey(repository);
  const host = repository.replace(/\/.*$/s, '');
  const entries = Object.fromEntries(
    Object.entries(auths).filter(([name]) => /^https?:/.test(name) || !name.includes('/')),
  );
  const helpers = objectOf(file['credHelpers']);
  const helper = helperOf({ credHelpers: helpers }, key, env);
  return (await helper?.get(host)) ?? credentialsOf(path, key, entryFor(entries, key));
}

function podmanFile(env: Environment): string | undefined {
  const named = env['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') return named;
  const runtime = env['XDG_RUNTIME_DIR'];
  return runtime === undefined || runtime === ''
    ? undefined
    : join(runtime, 'containers/auth.json');
}

function credentialsOf(path: string, key: string, entry: unknown): Credentials | undefined {
  if (!isObject(entry)) return undefined;
  try {
    const credentials = readEntry(entry);
    return isSomebody(credentials) ? credentials : undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new A3sError(
      'invalid-argument',
      `Cannot use the entry of ${key} in ${path}: ${error.message}`,
      { remedy: `Run a3s-box logout ${key}, and log in again.` },
    );
  }
}
