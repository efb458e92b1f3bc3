/**
 * Certificates for a registry, in the layout that Docker and podman read:
 * `certs.d/HOST:PORT/{*.crt, NAME.cert, NAME.key}`.
 *
 * `*.crt` are authorities beside the public ones; `NAME.cert` with `NAME.key` is a certificate to
 * show.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { readHostFile } from './host-file.ts';

export interface HostCertificates {
  /** PEM. */
  readonly authorities: readonly string[];
  readonly clients: readonly { readonly cert: string; readonly key: string }[];
}

export const NO_CERTIFICATES: HostCertificates = { authorities: [], clients: [] };

const MAX_FILES = 64;
/** Bound on a file; a whole bundle of public authorities is smaller. */
const MAX_FILE_BYTES = 1024 * 1024;

/** The texts that may become part of a path. */
const HOST = /^[\w[][\w.:[\]-]*$/;

/**
 * Reads the certificates from the first of these directories that has a directory for the host.
 *
 * @param host `HOST` or `HOST:PORT`
 * @throws A3sError `key-invalid` for a certificate without key, a key without certificate, and for
 * a file that is neither
 */
export async function readHostCertificates(
  directories: readonly string[],
  host: string,
): Promise<HostCertificates> {
  if (!HOST.test(host)) return NO_CERTIFICATES;
  for (const directory of directories.map((root) => join(root, host))) {
    const names = await namesIn(directory);
    if (names !== undefined) return await read(directory, names);
  }
  return NO_CERTIFICATES;
}

async function namesIn(directory: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unusable(directory, `it cannot be read (${code ?? error})`, error);
  }
}

async function read(directory: string, names: readonly string[]): Promise<HostCertificates> {
  if (names.length > MAX_FILES) throw unusable(directory, `it has more than ${MAX_FILES} files`);
  const authorities: string[] = [];
  const clients: { cert: string; key: string }[] = [];
  for (const name of names) {
    const path = join(directory, name);
    if (name.endsWith('.crt')) authorities.push(await readCertificates(path));
    if (name.endsWith('.cert')) {
      const key = `${name.slice(0, -'.cert'.length)}.key`;
      if (!names.includes(key)) {
        throw unusable(path, `there is no ${key} beside it`, undefined, CRT_OR_CERT);
      }
      clients.push({
        cert: await readCertificates(path),
        key: await readKey(join(directory, key)),
      });
    }
    if (name.endsWith('.key')) {
      const cert = `${name.slice(0, -'.key'.length)}.cert`;
      if (!names.includes(cert)) throw unusable(path, `there is no ${cert} beside it`);
    }
  }
  for (const { cert, key } of clients) checkPair(directory, cert, key);
  return { authorities, clients };
}

const CRT_OR_CERT =
  'Put the key there; a certificate of an authority has a name that ends in .crt.';

async function readCertificates(path: string): Promise<string> {
  const pem = await readText(path);
  try {
    new X509Certificate(pem);
  } catch (error) {
    throw unusable(path, 'it is not a certificate in PEM', error);
  }
  return pem;
}

async function readKey(path: string): Promise<string> {
  const pem = await readText(path);
  try {
    createPrivateKey(pem);
  } catch (error) {
    // OpenSSL's message about a key is no secret, but the key's text is: none of it is quoted.
    throw unusable(path, 'it is not a private key in PEM without a password', error);
  }
  return pem;
}

function checkPair(directory: string, cert: string, key: string): void {
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  throw unusable(directory, 'a client certificate and the key beside it do not belong together');
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readHostFile(path, MAX_FILE_BYTES);
  } catch (error) {
    throw unusable(path, error instanceof Error ? error.message : String(error), error);
  }
  // The directory lists the name: it is a link to nothing, or a file that was just removed.
  if (bytes === undefined) throw unusable(path, 'there is no such file');
  return bytes.toString();
}

function unusable(path: string, why: string, cause?: unknown, remedy?: string): A3sError {
  return new A3sError('key-invalid', `Cannot use ${path}: ${why}`, {
    remedy: remedy ?? 'Put it right, or take it away.',
    cause,
  });
}
