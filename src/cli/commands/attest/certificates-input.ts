/**
 * Certificates and revocation lists from files: DER, PEM, or a certificate table.
 *
 * Nothing is believed here. What cannot be told apart is handed on, for verification to refuse.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { InputError } from '../../input-error.ts';
import { type Library, refusing } from './load-library.ts';

/** What endorses a report. */
export interface Certificates {
  readonly vek?: Uint8Array | undefined;
  readonly authorities: readonly Uint8Array[];
}

/** `--vek`: one certificate, DER or PEM. */
export function vekOf(library: Library, path: string, bytes: Uint8Array): Uint8Array {
  if (!isPem(bytes)) return bytes;
  return onlyOne(path, 'one certificate', pemBlocks(library, path, bytes, 'CERTIFICATE'));
}

/** `--crl`: one list, DER or PEM. */
export function crlOf(library: Library, path: string, bytes: Uint8Array): Uint8Array {
  if (!isPem(bytes)) return bytes;
  return onlyOne(path, 'one revocation list', pemBlocks(library, path, bytes, 'X509 CRL'));
}

/** `--certs`: PEM of an endorsement key and authorities in any order, or a certificate table. */
export function certificatesOf(
  library: Library,
  path: string,
  bytes: Uint8Array,
  report: Uint8Array,
): Certificates {
  if (!isPem(bytes)) {
    return refusing(library, path, () => {
      const { vek, authorities = [] } = library.evidenceFromCertificateTable(report, bytes);
      return { vek, authorities };
    });
  }
  const all = pemBlocks(library, path, bytes, 'CERTIFICATE');
  const authorities = all.filter(isAuthority);
  const veks = all.filter((der) => !authorities.includes(der));
  if (veks.length === 0) return { authorities };
  return { vek: onlyOne(path, 'at most one endorsement key certificate', veks), authorities };
}

function pemBlocks(
  library: Library,
  path: string,
  bytes: Uint8Array,
  label: 'CERTIFICATE' | 'X509 CRL',
): readonly Uint8Array[] {
  return refusing(library, path, () => library.decodePem(bytes, label));
}

function onlyOne(path: string, expected: string, blocks: readonly Uint8Array[]): Uint8Array {
  const [first, ...more] = blocks;
  if (first !== undefined && more.length === 0) return first;
  throw new InputError('pem-malformed', `${path}: expected ${expected}`, {
    expected,
    found: `${blocks.length}`,
  });
}

function isPem(bytes: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(bytes.subarray(0, 64)).trimStart().startsWith('-----');
}

function isAuthority(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).ca;
  } catch {
    // Not even a certificate: verification says what is wrong with it.
    return false;
  }
}
