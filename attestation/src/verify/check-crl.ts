/**
 * Checks a certificate revocation list against the root that must have issued it.
 *
 * AMD revokes intermediates by it; endorsement keys are never revoked, but superseded by their TCB.
 *
 * @module
 */
import { type Crl, parseCrl } from '../certificates/crl.ts';
import { AttestationError } from '../errors.ts';
import type { CaAnchor } from '../roots/anchors.ts';
import type { Verification } from './signature.ts';
import { checkValidity } from './validity.ts';

/** Checks `crl-encoding` to `crl-validity`. */
export function* crlVerification(
  der: Uint8Array,
  root: CaAnchor,
  organization: string,
  now: number,
): Verification<Crl> {
  const crl = parseCrl(der);
  const expected = `${organization}, CN=${root.commonName}`;
  if (crl.issuer.text !== expected) {
    throw new AttestationError(
      'crl-issuer',
      'Cannot use the revocation list: another root issued it.',
      {
        expected,
        found: crl.issuer.text,
        remedy: 'Fetch the list of the product that the report is from.',
      },
    );
  }
  const { tbs: signed, signature } = crl;
  if (!(yield { algorithm: 'rsa-pss-sha384', key: root, signed, signature })) {
    throw new AttestationError(
      'crl-signature',
      `Cannot trust the revocation list: the pinned ${root.commonName} did not sign it.`,
    );
  }
  const span = { from: crl.thisUpdate, to: crl.nextUpdate };
  checkValidity('crl-validity', 'the revocation list', span, now);
  return crl;
}

/** Check `revocation`: none of these authorities is on the list. */
export function checkNotRevoked(crl: Crl, authorities: readonly CaAnchor[]): void {
  for (const { commonName, serial } of authorities) {
    if (!crl.revoked.has(serial)) continue;
    throw new AttestationError('revocation', `Cannot trust ${commonName}: it is revoked.`, {
      expected: `a revocation list without serial ${serial}`,
      found: `serial ${serial} in list number ${crl.number}`,
    });
  }
}
