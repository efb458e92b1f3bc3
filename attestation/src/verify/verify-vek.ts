/**
 * Verification of an endorsement key certificate alone, before it is stored.
 *
 * @module
 */
import { ownedBytes } from '../owned-bytes.ts';
import type { Product } from '../report/product.ts';
import type { VekKind } from '../report/report-claims.ts';
import type { Tcb } from '../report/tcb.ts';
import { AMD_ANCHORS } from '../roots/amd.ts';
import { answerNow } from './node-signatures.ts';
import { time } from './options.ts';
import { checkValidity, timestamp } from './validity.ts';
import { type SignedVek, vekVerification } from './verification.ts';

/** The contents of a valid certificate that a pinned intermediate of AMD signed. */
export interface VerifiedVek {
  readonly kind: VekKind;
  /** That of the intermediate. */
  readonly product: Product;
  /** The TCB that the key stands for. */
  readonly tcb: Tcb;
  /** Of a VCEK: 64 bytes, on Turin 8, in hexadecimal. */
  readonly hwid: string | null;
  /** Of a VLEK. */
  readonly cspId: string | null;
  /** RFC 3339. */
  readonly notBefore: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

/**
 * Verifies the certificate (DER) of an endorsement key against AMD's pinned intermediates.
 *
 * `verify` decides whether it endorses a report, so a certificate that passes here is no reason to
 * trust anything.
 *
 * @throws AttestationError with one of the codes `vek-encoding`, `vek-algorithm`, `vek-subject`,
 * `vek-public-key`, `vek-extensions`, `vek-issuer`, `vek-signature` and `vek-validity`.
 */
export function verifyVek(der: Uint8Array, now: Date): VerifiedVek {
  const { vek, product } = signedVek(der);
  const { kind, tcb, hwid, cspId, notBefore, notAfter } = vek;
  const span = { from: notBefore, to: notAfter };
  checkValidity('vek-validity', `the ${kind} certificate`, span, time('now', now));
  return {
    kind,
    product,
    tcb,
    hwid,
    cspId,
    notBefore: timestamp(notBefore),
    notAfter: timestamp(notAfter),
  };
}

/**
 * The result does not depend on the time: a signed certificate can be kept, and is verified
 * whenever it is used.
 */
export function verifyVekSignature(der: Uint8Array): void {
  signedVek(der);
}

function signedVek(der: Uint8Array): SignedVek {
  return answerNow(vekVerification(ownedBytes(der, 'a certificate'), AMD_ANCHORS));
}
