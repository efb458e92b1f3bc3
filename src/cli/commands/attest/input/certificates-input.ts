/**
 * Reads certificates and revocation lists from files: DER, PEM, or a certificate table.
 *
 * Nothing is verified here. An input that cannot be classified is passed on, and verification
 * refuses it.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { InputError } from '../../../files/input-error.ts';
import { type Library, refusing } from '../load-library.ts';

/** What endorses a report. */
export interface Certificates {
  readonly vek?: Uint8Array | undefined;
  readonly authorities: readonly Uint8Array[];
}

/** `--vek`: one certificate, DER or PEM; or a PEM chain with one, as servers hand it out. */
export function vekOf(
  library: Library,
  path: string,
  bytes: Uint8Array,
): Certificates & { readonly vek: Uint8Array } {
  const pem = pemIn(bytes);
  if (pem === undefined) return { vek: bytes, authorities: [] };
  const all = pemBlocks(library, path, pem, 'CERTIFICATE');
  const [only, ...more] = all;
  if (only !== undefined && more.length === 0) return { vek: only, authorities: [] };
  const authorities = all.filter(isAuthority);
  const veks = all.filter((der) => !authorities.includes(der));
  const vek = onlyOne(
    path,
    'one endorsement key certificate, alone or with its authorities',
    veks,
    {
      remedy: 'Give authorities without an endorsement key with --certs.',
    },
  );
  return { vek, authorities };
}

/** `--crl`: one list, DER or PEM. */
export function crlOf(library: Library, path: string, bytes: Uint8Array): Uint8Array {
  const pem = pemIn(bytes);
  if (pem === undefined) return bytes;
  return onlyOne(path, 'one revocation list', pemBlocks(library, path, pem, 'X509 CRL'));
}

/** `--certs`: PEM of an endorsement key and authorities in any order, or a certificate table. */
export function certificatesOf(
  library: Library,
  path: string,
  bytes: Uint8Array,
  report: Uint8Array,
): Certificates {
  const pem = pemIn(bytes);
  if (pem === undefined) {
    return refusing(library, path, () => {
      const { vek, authorities = [] } = library.evidenceFromCertificateTable(report, bytes);
      return { vek, authorities };
    });
  }
  const all = pemBlocks(library, path, pem, 'CERTIFICATE');
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

function onlyOne(
  path: string,
  expected: string,
  blocks: readonly Uint8Array[],
  details: { readonly remedy?: string } = {},
): Uint8Array {
  const [first, ...more] = blocks;
  if (first !== undefined && more.length === 0) return first;
  throw new InputError('pem-malformed', `${path}: expected ${expected}`, {
    expected,
    found: `${blocks.length}`,
    ...details,
  });
}

/**
 * From the first block on: OpenSSL and others write a description above it. Undefined for an input
 * that is not PEM.
 */
function pemIn(bytes: Uint8Array): Uint8Array | undefined {
  const text = new TextDecoder('latin1').decode(bytes);
  const start = text.search(/^-----BEGIN /m);
  // Binary formats have zeros, and text has none.
  return start < 0 || text.slice(0, start).includes('\0') ? undefined : bytes.subarray(start);
}

function isAuthority(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der).ca;
  } catch {
    // The input is not even a certificate: verification reports the fault.
    return false;
  }
}
