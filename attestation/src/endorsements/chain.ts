/**
 * The certificate chain that the key distribution service publishes for a product.
 *
 * @module
 */
import { parseCa } from '../certificates/ca.ts';
import { decodePem } from '../envelopes/encodings/pem.ts';
import { AttestationError } from '../errors.ts';
import type { Product } from '../report/product.ts';
import type { VekKind } from '../report/report-claims.ts';

/**
 * DER of the intermediate, then of the root.
 *
 * @throws AttestationError `pem-malformed` or `ca-encoding` for other bytes, `vek-issuer` if these
 * do not claim to be the two authorities of the product.
 */
export function chainOf(pem: Uint8Array, kind: VekKind, product: Product): readonly Uint8Array[] {
  const ders = decodePem(pem, 'CERTIFICATE');
  const intermediate = kind === 'VCEK' ? `SEV-${product}` : `SEV-VLEK-${product}`;
  const expected = `${intermediate}, ARK-${product}`;
  const found = ders.map((der) => parseCa(der).subject.commonName).join(', ');
  if (found === expected) return ders;
  throw new AttestationError('vek-issuer', 'Cannot use the chain: it is of other authorities.', {
    expected,
    found,
  });
}
