/**
 * From a verdict on SEV-SNP evidence to what an attestation result says of its attester.
 *
 * @module
 */
import { isPrivilegedHostData } from '@a3s-box/policies/host-data';
import type { Appraisal, AppraisalCode } from '../appraise/appraisal-checks.ts';
import { demandAppraisalOf } from '../appraise/appraised-report.ts';
import { VerifiedReport } from '../verify/verified-report.ts';
import type { EarSubmod } from './ear.ts';
import { type EarVector, type EarVectorClaim, tierUnder } from './tiers.ts';
import { noteUndated } from './undated.ts';

/** What the caller knows beside the verdict. */
export interface SubmodDetails {
  readonly policyIds?: readonly string[];
  /** Checks that failed outside of the appraisal, whatever it says of them. */
  readonly failed?: readonly AppraisalCode[];
  /**
   * SubjectPublicKeyInfo of a key that REPORT_DATA binds. The caller computed the expected
   * REPORT_DATA from it; the appraisal must have compared that.
   */
  readonly key?: Uint8Array;
}

/**
 * The claim that each check speaks of, and its value where the check fails. Each is
 * contraindicated: a policy demanded what is not so, and no reader of a vector may take that for a
 * warning.
 *
 * 97 says "not recognised", 96 "recognised, and not trustworthy".
 */
const FAILED: Readonly<Record<AppraisalCode, readonly [EarVectorClaim, 96 | 97]>> = {
  tee: ['hardware', 97],
  'allowed-product': ['hardware', 97],
  'allowed-version': ['hardware', 96],
  debug: ['runtime-opaque', 96],
  'migration-agent': ['runtime-opaque', 96],
  privileged: ['configuration', 96],
  vmpl: ['configuration', 96],
  smt: ['configuration', 96],
  cxl: ['configuration', 96],
  'single-socket': ['configuration', 96],
  'alias-check': ['hardware', 96],
  'ciphertext-hiding': ['runtime-opaque', 96],
  rapl: ['configuration', 96],
  ecc: ['hardware', 96],
  tio: ['configuration', 96],
  'iommu-write-safe': ['hardware', 96],
  'platform-info': ['hardware', 96],
  'page-swap': ['runtime-opaque', 96],
  'memory-aes-256-xts': ['runtime-opaque', 96],
  'tcb-reported': ['hardware', 96],
  'tcb-launch': ['hardware', 96],
  'tcb-committed': ['hardware', 96],
  'tcb-order': ['hardware', 96],
  'provisional-firmware': ['hardware', 96],
  'firmware-version': ['hardware', 96],
  'mitigations-launch': ['hardware', 96],
  'mitigations-current': ['hardware', 96],
  'signing-key': ['hardware', 96],
  'csp-id': ['hardware', 97],
  'chip-masked': ['instance-identity', 97],
  'chip-allow': ['instance-identity', 97],
  'chip-deny': ['instance-identity', 96],
  engine: ['executables', 96],
  measurement: ['executables', 96],
  'id-block': ['executables', 96],
  'id-key': ['executables', 96],
  'author-key': ['executables', 96],
  'guest-svn': ['executables', 96],
  'family-id': ['executables', 96],
  'image-id': ['executables', 96],
  'host-data': ['configuration', 96],
  'launch-spec': ['configuration', 96],
  'report-data': ['instance-identity', 97],
  'crl-required': ['hardware', 96],
  'crl-age': ['hardware', 96],
  'crl-number': ['hardware', 96],
  'known-vulnerable': ['executables', 96],
};

/** "Not recognized": what is loaded is on no list. A warning, since the policy did not ask. */
const UNRECOGNISED_EXECUTABLES = 33;

/**
 * "Exposes known vulnerabilities": the workload of a privileged box can pass for the agent. A
 * warning though the policy allows it: a reader of the result does not see the policy.
 */
const PRIVILEGED_CONFIGURATION = 32;

/**
 * What a result says of a guest whose evidence was verified.
 *
 * @throws TypeError unless `verify` made the report, and `appraise` the appraisal
 * @throws RangeError for an appraisal of another report, or a key where no check of REPORT_DATA has
 *   passed
 */
export function earSubmod(
  report: VerifiedReport,
  appraisal: Appraisal,
  details: SubmodDetails = {},
): EarSubmod {
  if (!VerifiedReport.is(report)) {
    throw new TypeError('Cannot issue: the report must be one that verify() gave.');
  }
  demandAppraisalOf(report, appraisal);
  const verdicts = verdictsOf(appraisal, report.claims, details);
  return noted(submodOf(verdicts, details), verdicts);
}

/** What verdicts mean. Not for callers of the package, who could make up the verdicts. */
export function submodOf(verdicts: Verdicts, details: SubmodDetails = {}): EarSubmod {
  const { passed, failed, privileged } = verdicts;
  const approved = passed.has('measurement') || passed.has('id-key') || passed.has('author-key');
  const vector: EarVector = {
    ...(passed.has('chip-allow') ? { 'instance-identity': 2 } : {}),
    ...(passed.has('host-data') || passed.has('launch-spec') ? { configuration: 2 } : {}),
    ...(privileged ? { configuration: PRIVILEGED_CONFIGURATION } : {}),
    executables: approved ? 3 : UNRECOGNISED_EXECUTABLES,
    hardware: 2,
    'runtime-opaque': 2,
    ...failures(failed),
  };
  return { status: tierUnder('affirming', vector), vector, ...bound(verdicts, details) };
}

/**
 * What a result says of evidence that did not verify: 99, "cryptographic validation of the Evidence
 * has failed", in all that evidence could have spoken for.
 */
export function refusedSubmod(details: Pick<SubmodDetails, 'policyIds'> = {}): EarSubmod {
  const vector: EarVector = {
    'instance-identity': 99,
    configuration: 99,
    executables: 99,
    hardware: 99,
    'runtime-opaque': 99,
  };
  return { status: 'contraindicated', vector, ...policiesOf(details) };
}

/**
 * What a result says of a simulated guest, whatever a policy accepts: the hardware is not one, and
 * the host reads all of its memory. Nothing is affirmed.
 */
export function simulatedSubmod(
  appraisal: Appraisal,
  claims: GuestClaims,
  details: SubmodDetails,
): EarSubmod {
  const verdicts = verdictsOf(appraisal, claims, details);
  const vector: EarVector = {
    ...(verdicts.privileged ? { configuration: PRIVILEGED_CONFIGURATION } : {}),
    ...failures(verdicts.failed),
    hardware: 97,
    'runtime-opaque': 96,
  };
  return { status: 'contraindicated', vector, ...bound(verdicts, details) };
}

/** The checks that passed, those that failed, and what no check says where a policy allows it. */
export interface Verdicts {
  readonly passed: ReadonlySet<AppraisalCode>;
  readonly failed: ReadonlySet<AppraisalCode>;
  readonly privileged: boolean;
}

type GuestClaims = Pick<VerifiedReport['claims'], 'hostData'>;

export function verdictsOf(
  { checks }: Appraisal,
  { hostData }: GuestClaims,
  { failed = [] }: SubmodDetails,
): Verdicts {
  const codesOf = (wanted: string): readonly AppraisalCode[] =>
    checks.filter(({ verdict }) => verdict === wanted).map(({ code }) => code);
  const all = new Set([...codesOf('failed'), ...failed]);
  const passed = new Set(codesOf('passed').filter((code) => !all.has(code)));
  return { passed, failed: all, privileged: isPrivilegedHostData(hostData) };
}

/** Notes where nothing dates the evidence: such a result answers no nonce. */
function noted(submod: EarSubmod, { passed }: Verdicts): EarSubmod {
  const undated = submod.status !== 'contraindicated' && !passed.has('report-data');
  return undated ? noteUndated(submod) : submod;
}

/** Where several checks of one claim fail, the highest value stands, though all are of one tier. */
function failures(failed: ReadonlySet<AppraisalCode>): EarVector {
  const claims = [...failed].map((code) => FAILED[code]);
  return Object.fromEntries(claims.toSorted(([, one], [, other]) => one - other));
}

function bound({ passed }: Verdicts, { key, ...details }: SubmodDetails): Partial<EarSubmod> {
  if (key === undefined) return policiesOf(details);
  if (!passed.has('report-data')) {
    throw new RangeError('Cannot issue: no check of REPORT_DATA has bound the key.');
  }
  return { ...policiesOf(details), key };
}

function policiesOf({ policyIds }: Pick<SubmodDetails, 'policyIds'>): Partial<EarSubmod> {
  return policyIds === undefined ? {} : { policyIds };
}
