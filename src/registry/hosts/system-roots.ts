/**
 * The authorities that this host trusts, as its administrator keeps them.
 *
 * @module
 */
import { rootCertificates } from 'node:tls';
import { A3sError } from '../../errors.ts';
import { readHostFile } from './host-file.ts';

/** Debian's bundle has 220 KB. */
const MAX_BUNDLE = 8 * 1024 * 1024;

/** Debian's and Fedora's; OpenSSL's variable comes first. */
export function rootsFiles(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const given = env['SSL_CERT_FILE'];
  if (given !== undefined && given !== '') return [given];
  return ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
}

/**
 * The first of these files that exists, and nothing beside it: an authority that the administrator
 * removed is not trusted. Node's own list where no file exists.
 *
 * @throws A3sError `key-invalid` for an existing file that cannot be used
 */
export async function readSystemRoots(files: readonly string[]): Promise<readonly string[]> {
  for (const path of files) {
    const text = await read(path);
    if (text !== undefined) return [text];
  }
  return rootCertificates;
}

async function read(path: string): Promise<string | undefined> {
  try {
    const text = (await readHostFile(path, MAX_BUNDLE))?.toString();
    if (text?.includes('-----BEGIN ') === false) throw new Error('it has no certificate in PEM');
    return text;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new A3sError('key-invalid', `Cannot use the trusted authorities of ${path}: ${reason}`, {
      remedy: 'Put it right, or name another bundle in SSL_CERT_FILE, and start the server again.',
      cause: error,
    });
  }
}
