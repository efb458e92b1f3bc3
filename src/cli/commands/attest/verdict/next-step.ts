/**
 * The remedy for evidence that is rejected, by the check that failed.
 *
 * @module
 */
import type { Library } from '../load-library.ts';

type Steps<Checks> = { readonly [Code in keyof Checks]?: string };

const ANOTHER_VEK =
  "Hand over the certificate of the chip and TCB that the report names: 'a3s-box attest fetch-certs --report FILE' gets it.";
const CURRENT_CRL =
  "Get the current revocation list with 'a3s-box attest fetch-certs --crl', or hand one over with --crl.";
const UPDATE_HOST =
  'Have the firmware of the host updated; lower the minimum in the policy only if you accept its known holes.';
const LAUNCH_ANEW = 'Have the guest launched anew without what the policy forbids.';

const THE_REPORT =
  'Give the report itself with --report, as the guest got it from /dev/sev-guest; if it is in an envelope, name that with --report-format.';
const THE_CERTIFICATE =
  'Give the certificate of the VCEK or VLEK with --vek, DER or PEM: no other certificate, and no key.';
const THE_LIST =
  "Give the revocation list of AMD's root with --crl, DER or PEM, as 'a3s-box attest fetch-certs --crl' gets it.";

const VERIFY_STEPS: Steps<Library['VERIFY_CHECKS']> = {
  'report-length': THE_REPORT,
  'report-version': THE_REPORT,
  'vek-encoding': THE_CERTIFICATE,
  'vek-algorithm': THE_CERTIFICATE,
  'vek-subject': THE_CERTIFICATE,
  'crl-encoding': THE_LIST,
  'crl-issuer': THE_LIST,
  'vek-supplied':
    "Get the certificate with 'a3s-box attest fetch-certs --report FILE', or hand it over with --vek.",
  'vek-tcb': ANOTHER_VEK,
  'vek-chip': ANOTHER_VEK,
  'vek-kind': 'Hand over the certificate of the kind of key that signed the report.',
  'vek-product':
    'If the host is a genuine Genoa whose certificate names another product, use --allow-product-name-mismatch.',
  'vek-validity':
    'Get new evidence; for evidence of the past, say with --at which time it is judged by.',
  'crl-validity': CURRENT_CRL,
  'report-signature': 'Do not use this report: it was changed, or no processor of AMD made it.',
};

const POLICY_STEPS: Steps<Library['APPRAISAL_CHECKS']> = {
  tee: 'Use a policy whose tee is what the evidence is from.',
  debug: LAUNCH_ANEW,
  'migration-agent': LAUNCH_ANEW,
  privileged:
    'Run the box without --privileged, or say allowPrivileged in the policy if its workload may have all of the guest.',
  'tcb-reported': UPDATE_HOST,
  'tcb-launch': `${UPDATE_HOST} Then launch the guest anew.`,
  'tcb-committed': UPDATE_HOST,
  'firmware-version': UPDATE_HOST,
  engine:
    'Run the box on an engine of the policy, or name krun in engines if guests of libkrun-sev will do.',
  measurement:
    "List the digest that 'a3s-box attest measure' computes for the guest; 'a3s-box attest explain' finds why another was measured.",
  'host-data': 'Say in the policy which hostData is expected, and compare it with the one found.',
  'launch-spec':
    "Verify the box itself with 'a3s-box attest box': a report of libkrun alone does not show its launch spec.",
  'report-data': 'Say with --report-data what the report has to be bound to, such as a nonce.',
  'crl-required': CURRENT_CRL,
  'crl-age': CURRENT_CRL,
  'crl-number': CURRENT_CRL,
};

/** One sentence or two. */
export function nextStep(stage: 'verify' | 'policy', code: string): string {
  const steps: Readonly<Record<string, string>> = stage === 'verify' ? VERIFY_STEPS : POLICY_STEPS;
  return steps[code] ?? OTHERWISE[stage];
}

const OTHERWISE = {
  verify: 'Do not trust this evidence.',
  policy: 'Change the guest or its host, or the policy, if it asks for more than you need.',
} as const;
