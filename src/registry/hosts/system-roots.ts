/**
 * The authorities that this host trusts, as its administrator keeps them.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';

/** Debian's and Fedora's; OpenSSL's variable comes first. */
export function rootsFiles(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const given = env['SSL_CERT_FILE'];
  if (given !== undefined && given !== '') return [given];
  return ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
}

/**
 * The first of these files that is there, and nothing beside it: what the administrator took away is not trusted.
 * Node's own list where there is none.
 */
export async function readSystemRoots(files: readonly string[]): Promise<readonly string[]> {
  for (const path of files) {
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text !== undefined) return [text];
  }
  return rootCertificates;
}
