/**
 * Authorities that came along with the evidence.
 *
 * They are not needed: the keys are pinned. But evidence that brings another authority than the
 * pinned ones was made by somebody else, or for another product, and is refused.
 *
 * What such a certificate says beside its key (its serial number, or where revocation lists are) is
 * never used; that the pinned root signed it is enough.
 *
 * @module
 */
import { type CaCertificate, parseCa } from '../certificates/ca.ts';
import { AttestationError } from '../errors.ts';
import type { CaAnchor, ProductAnchors } from '../roots/anchors.ts';
import type { Verification } from './signature.ts';

/** More than any product has: root, two intermediates, and each twice. */
export const MAX_AUTHORITIES = 6;

/** Checks `ca-encoding` to `ca-signature` of each. */
export function* authoritiesVerification(
  authorities: readonly Uint8Array[],
  anchors: ProductAnchors,
): Verification<void> {
  if (authorities.length > MAX_AUTHORITIES) {
    throw new AttestationError('ca-encoding', 'Cannot verify: too many authorities came along.', {
      expected: `at most ${MAX_AUTHORITIES}`,
      found: 'more',
      remedy: "Leave out those of other products; none is needed, since AMD's keys are pinned.",
    });
  }
  const certificates = authorities.map(parseCa);
  for (const certificate of certificates) checkPinned(certificate, anchors);
  for (const { tbs: signed, signature, subject } of certificates) {
    if (yield { algorithm: 'rsa-pss-sha384', key: anchors.ark, signed, signature }) continue;
    throw new AttestationError(
      'ca-signature',
      `Cannot trust ${subject.text}: the pinned ${anchors.ark.commonName} did not sign it.`,
    );
  }
}

function checkPinned(certificate: CaCertificate, { ark, ask, asvk }: ProductAnchors): void {
  if ([ark, ask, asvk].some((anchor) => isOf(anchor, certificate))) return;
  throw new AttestationError(
    'ca-pinned',
    'Cannot trust an authority that came with the evidence: its key is not pinned.',
    {
      expected: `${ark.commonName}, ${ask.commonName} or ${asvk.commonName} with its pinned key`,
      found: `${certificate.subject.text}, serial ${certificate.serial}`,
      remedy: 'Leave it out, or get evidence of the product and generation that the report names.',
    },
  );
}

function isOf(anchor: CaAnchor, { subject, publicKey }: CaCertificate): boolean {
  const { modulus } = publicKey;
  return (
    subject.commonName === anchor.commonName &&
    anchor.modulus.every((byte, index) => byte === modulus[index])
  );
}
