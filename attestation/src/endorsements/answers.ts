/**
 * Reads the subjects of endorsements, by their own unverified claims.
 *
 * No signature is checked here. An endorsement that matches its request is kept, and verification
 * decides whether it is genuine each time it is used.
 *
 * @module
 */
import { type Crl, parseCrl } from '../certificates/crl.ts';
import { parseVek } from '../certificates/vek.ts';
import { AttestationError } from '../errors.ts';
import type { Product } from '../report/product.ts';
import { formatTcb, tcbEquals } from '../report/tcb.ts';
import { PRODUCTS, type VcekRequest, vcekProblem } from './vcek-request.ts';

/** Longer than any certificate or chain. */
export const MAX_CERTIFICATE_BYTES = 64 * 1024;

/** Longer than any revocation list. */
export const MAX_CRL_BYTES = 1024 * 1024;

/**
 * Which request a VCEK certificate answers.
 *
 * @throws AttestationError `vek-encoding` and the like for other bytes, `vek-kind` for a
 * certificate of another kind or shape.
 */
export function vcekOf(der: Uint8Array): VcekRequest {
  const { issuer, hwid, tcb } = parseVek(der);
  const product = PRODUCTS.find((name) => issuer.commonName === `SEV-${name}`);
  const found = product === undefined ? undefined : { product, chipId: hwid ?? '', tcb };
  if (found !== undefined && vcekProblem(found) === undefined) return found;
  throw new AttestationError('vek-kind', 'Cannot use the certificate: it is not that of a VCEK.', {
    expected: 'a chip and a TCB of the product that the issuer is of',
    found: `issuer ${issuer.commonName}, chip ${hwid ?? 'none'}, ${formatTcb(tcb)}`,
  });
}

/** Refuses a certificate that is not the one of `wanted`, which is in its one form. */
export function checkVcek(der: Uint8Array, wanted: VcekRequest): void {
  const found = vcekOf(der);
  if (
    found.product === wanted.product &&
    found.chipId === wanted.chipId &&
    tcbEquals(found.tcb, wanted.tcb)
  ) {
    return;
  }
  throw new AttestationError('vek-kind', 'Cannot use the certificate: it is of another VCEK.', {
    expected: describeVcek(wanted),
    found: describeVcek(found),
  });
}

/** For people. */
export function describeVcek({ product, chipId, tcb }: VcekRequest): string {
  return `${product}, chip ${chipId}, ${formatTcb(tcb)}`;
}

/**
 * A revocation list that claims the root of `product` as its issuer.
 *
 * @throws AttestationError `crl-encoding` for other bytes, `crl-issuer` for another issuer.
 */
export function crlOf(der: Uint8Array, product: Product): Crl {
  const crl = parseCrl(der);
  const expected = `ARK-${product}`;
  if (crl.issuer.commonName === expected) return crl;
  throw new AttestationError(
    'crl-issuer',
    'Cannot use the revocation list: another root issued it.',
    {
      expected,
      found: crl.issuer.commonName,
    },
  );
}
