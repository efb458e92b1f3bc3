/**
 * The checks of {@link verify}, in the order in which they run.
 *
 * Each code stands for one check and is stable. Verification stops at the first that fails; those
 * behind it are then `skipped`, so a claim is never read before everything under it holds.
 *
 * @module
 */

/** Code → what holds once the check has passed. */
export const VERIFY_CHECKS = {
  'report-length': 'the report has 1184 bytes',
  'report-version': 'the report version is 2, 3, 4 or 5',
  'report-reserved': 'fields that must be zero are zero',
  'report-guest-policy': 'the guest policy sets its must-be-one bit and no unknown one',
  'report-vmpl': 'a guest, not the host, asked for the report',
  'report-signature-algorithm': 'the signature is ECDSA P-384 with SHA-384',
  'report-key-info': 'the key information names a key that signs, and no unknown bit',
  'report-signature-encoding': 'the signature is two numbers in range, and zeros',
  product: 'the processor is of a product whose root is pinned',
  'report-tcb': 'reserved bytes of the TCB versions are zero',
  'vek-supplied': 'there is an endorsement key certificate',
  'vek-encoding': 'its certificate is strict DER',
  'vek-algorithm': 'its certificate is signed by RSASSA-PSS, SHA-384, salt 48',
  'vek-subject': 'its subject is that of a VCEK or VLEK',
  'vek-public-key': 'its key is on P-384',
  'vek-extensions': 'its extensions are those of its kind, each once',
  'vek-kind': 'it is of the kind that the report says signed it',
  'vek-product': 'it is of the product that the report names',
  'vek-issuer': 'its issuer is the intermediate of its kind and product',
  'ca-encoding': 'authorities handed along are strict CA certificates',
  'ca-pinned': 'authorities handed along have pinned keys',
  'ca-signature': 'authorities handed along are signed by the pinned root',
  'vek-signature': 'the pinned intermediate signed the endorsement key',
  'vek-validity': 'the endorsement key certificate is valid now',
  'ca-validity': 'the pinned root and intermediate are valid now',
  'crl-encoding': 'the revocation list is a strict CRL',
  'crl-issuer': 'the root of the product issued the revocation list',
  'crl-signature': 'the pinned root signed the revocation list',
  'crl-validity': 'the revocation list is current',
  revocation: 'the intermediate is not revoked',
  'vek-tcb': 'the endorsement key is that of the reported TCB',
  'vek-chip': 'the endorsement key is that of the chip',
  'report-signature': 'the endorsement key signed the report',
} as const;

/** A stable code, one for each check. */
export type VerifyCode = keyof typeof VERIFY_CHECKS;

/** How one check of a verification went. */
export interface VerifyCheck {
  readonly code: VerifyCode;
  /** `skipped`: an earlier check failed, or what it would look at was not supplied. */
  readonly verdict: 'passed' | 'failed' | 'skipped';
  /** Of a failed check, where there is something to compare. */
  readonly expected?: string;
  readonly actual?: string;
}
