/**
 * The checks of an appraisal, in the order in which they are listed.
 *
 * Each code stands for one check and is stable. All of them run, always: a rejection names
 * everything that would have to change.
 *
 * @module
 */

/** Code → what holds once the check has passed. */
export const APPRAISAL_CHECKS = {
  tee: 'the evidence is from what the policy is for: hardware, or the simulated processor',
  'allowed-product': 'the product is an allowed one',
  'allowed-version': 'the report version is an allowed one',
  debug: 'the host cannot debug the guest',
  'migration-agent': 'no migration agent can move the guest',
  privileged: 'the box is not privileged, by HOST_DATA',
  vmpl: 'the report was asked for from the expected privilege level',
  smt: 'sibling threads are off, by the guest policy and on the platform',
  cxl: 'CXL is off, by the guest policy',
  'single-socket': 'the guest stays on one socket, by its policy',
  'alias-check': 'memory was searched for aliases at boot',
  'ciphertext-hiding': 'the host cannot read ciphertext, by the guest policy and on the platform',
  rapl: 'power readings are off, by the guest policy and on the platform',
  ecc: 'memory has error correction',
  tio: 'trusted I/O is off on the platform',
  'iommu-write-safe': 'the IOMMU is write-safe, which only Turin reports',
  'platform-info': 'the platform has nothing switched on whose meaning is not known',
  'page-swap': 'the host cannot swap pages of the guest, by its policy',
  'memory-aes-256-xts': 'memory is encrypted with AES-256-XTS, by the guest policy',
  'tcb-reported': 'the TCB of the signing key reaches the minimum',
  'tcb-launch': 'the TCB at launch reaches the minimum',
  'tcb-committed': 'the TCB that the host cannot go below reaches the minimum',
  'tcb-order': 'neither the reported nor the committed TCB is above the current one',
  'provisional-firmware': 'the host cannot roll the running firmware back',
  'firmware-version': 'the current and the committed firmware reach the least version',
  'mitigations-launch': 'the mitigations asked for were in force at launch',
  'mitigations-current': 'the mitigations asked for are in force',
  'signing-key': 'the signing key is of an allowed kind',
  'csp-id': 'the VLEK is that of an allowed provider',
  'chip-masked': 'the report names its chip',
  'chip-allow': 'the chip is an allowed one',
  'chip-deny': 'the chip is not a denied one',
  engine: 'the launch digest is one of an allowed engine',
  measurement: 'the launch digest is an allowed one',
  'id-block': 'the guest was launched with an ID block',
  'id-key': 'an allowed key signed the ID block',
  'author-key': 'an allowed key signed the ID key',
  'guest-svn': 'the security version of the guest reaches the minimum',
  'family-id': 'the family of the ID block is an allowed one',
  'image-id': 'the image of the ID block is an allowed one',
  'host-data': 'the host data is the expected one, or zero where libkrun launched the guest',
  'launch-spec': 'the report data of a guest of libkrun is over the expected launch spec',
  'report-data': 'the report data is the expected one',
  'crl-required': 'the revocation list was looked at',
  'crl-age': 'the revocation list was got lately',
  'crl-number': 'the revocation list is not older than one that is known',
  'known-vulnerable': 'the launch digest is not one that is known to be vulnerable',
} as const;

/** A stable code, one for each check. */
export type AppraisalCode = keyof typeof APPRAISAL_CHECKS;

/** How one check of an appraisal went. */
export interface AppraisalCheck {
  readonly code: AppraisalCode;
  /** `skipped`: the policy does not ask for it, or it does not apply; `expected` says which. */
  readonly verdict: 'passed' | 'failed' | 'skipped';
  /** For people, such as `vmpl 0`. */
  readonly expected: string;
  /** For people, such as `vmpl 1`. */
  readonly actual: string;
}

/** Whether verified evidence satisfies a policy, and why. */
export interface Appraisal {
  /** True if and only if no check failed. */
  readonly accepted: boolean;
  /** `accepted`, or the code of the first check that failed. */
  readonly code: 'accepted' | AppraisalCode;
  /** One for each of {@link APPRAISAL_CHECKS}, in their order. */
  readonly checks: readonly AppraisalCheck[];
}
