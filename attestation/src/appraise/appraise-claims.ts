/**
 * Checks verified claims against a policy.
 *
 * @module
 */
import type { PolicyTee, SnpPolicy } from '@a3s-box/policies/attestation-policy';
import { isAttestationPolicy } from '@a3s-box/policies/is-attestation-policy';
import { fromHex, toHex } from '../hex.ts';
import type { Claims } from '../verify/verified-claims.ts';
import type { Appraisal, AppraisalCheck, AppraisalCode } from './appraisal-checks.ts';
import * as binding from './binding-rules.ts';
import * as firmware from './firmware-rules.ts';
import * as guest from './guest-rules.ts';
import * as identity from './identity-rules.ts';
import type { Rule, Subject } from './judgement.ts';
import { measuredEngine } from './measured-engine.ts';
import * as platform from './platform-rules.ts';
import * as revocation from './revocation-rules.ts';
import * as signer from './signer-rules.ts';
import * as vulnerable from './vulnerable-rules.ts';

export type { Appraisal, AppraisalCheck, AppraisalCode } from './appraisal-checks.ts';

/** The values that the caller knows and the policy does not. */
export interface Expected {
  /** REPORT_DATA: 64 bytes, or their 128 hexadecimal digits. */
  readonly reportData?: string | Uint8Array | undefined;
  /**
   * SHA-256 of the launch spec, 64 hexadecimal digits in lower case, where {@link reportData} is
   * that which an agent on libkrun makes of it (`reportDataOf` of `@a3s-box/ratls`). There is
   * nothing else that binds the launch spec of such a guest.
   */
  readonly specDigest?: string | undefined;
}

/** In the order of `APPRAISAL_CHECKS`, which a bundle that does not print it can so leave out. */
const RULES: Readonly<Record<AppraisalCode, Rule>> = {
  tee: guest.tee,
  'allowed-product': guest.product,
  'allowed-version': guest.reportVersion,
  debug: guest.debug,
  'migration-agent': guest.migrationAgent,
  privileged: guest.privileged,
  vmpl: guest.vmpl,
  smt: platform.smt,
  cxl: guest.cxl,
  'single-socket': guest.singleSocket,
  'alias-check': platform.aliasCheck,
  'ciphertext-hiding': platform.ciphertextHiding,
  rapl: platform.rapl,
  ecc: platform.ecc,
  tio: platform.tio,
  'iommu-write-safe': platform.iommuWriteSafe,
  'platform-info': platform.platformInfo,
  'page-swap': guest.pageSwap,
  'memory-aes-256-xts': guest.memoryAes256Xts,
  'tcb-reported': firmware.tcbReported,
  'tcb-launch': firmware.tcbLaunch,
  'tcb-committed': firmware.tcbCommitted,
  'tcb-order': firmware.tcbOrder,
  'provisional-firmware': firmware.provisionalFirmware,
  'firmware-version': firmware.firmwareVersion,
  'mitigations-launch': firmware.mitigationsLaunch,
  'mitigations-current': firmware.mitigationsCurrent,
  'signing-key': signer.signingKey,
  'csp-id': signer.cspId,
  'chip-masked': signer.chipMasked,
  'chip-allow': signer.chipAllow,
  'chip-deny': signer.chipDeny,
  engine: identity.engine,
  measurement: identity.measurement,
  'id-block': identity.idBlock,
  'id-key': identity.idKey,
  'author-key': identity.authorKey,
  'guest-svn': identity.guestSvn,
  'family-id': identity.familyId,
  'image-id': identity.imageId,
  'host-data': binding.hostData,
  'launch-spec': binding.launchSpec,
  'report-data': binding.reportData,
  'crl-required': revocation.crlRequired,
  'crl-age': revocation.crlAge,
  'crl-number': revocation.crlNumber,
  'known-vulnerable': vulnerable.knownVulnerable,
};

const CODES = Object.keys(RULES) as AppraisalCode[];

/**
 * Runs every check of `APPRAISAL_CHECKS`; what it returns is frozen.
 *
 * `tee` says which of the two verifications made the claims.
 *
 * @throws TypeError for a policy that `parseAttestationPolicy` did not make
 * @throws RangeError for an expected report data that is not 64 bytes, and for a digest of a launch
 *   spec that is not one, or that no expected report data is over
 */
export function appraiseClaims(
  tee: PolicyTee,
  claims: Claims,
  policy: SnpPolicy,
  expected: Expected,
): Appraisal {
  if (!isAttestationPolicy(policy)) {
    throw new TypeError(
      'Cannot appraise: the policy must be one that parseAttestationPolicy() gave.',
    );
  }
  const reportData = reportDataHex(expected.reportData);
  const specDigest = specDigestHex(expected);
  const engine = measuredEngine(policy, claims.measurement);
  const subject: Subject = { tee, engine, claims, policy, reportData, specDigest };
  const checks = CODES.map(
    (code): AppraisalCheck => Object.freeze({ code, ...RULES[code](subject) }),
  );
  const failed = checks.find(({ verdict }) => verdict === 'failed');
  return Object.freeze({
    accepted: failed === undefined,
    code: failed?.code ?? 'accepted',
    checks: Object.freeze(checks),
  });
}

const REPORT_DATA_SIZE = 64;

/** Never truncated and never padded: half of a nonce would be no nonce. */
function reportDataHex(expected: string | Uint8Array | undefined): string | undefined {
  if (expected === undefined) return undefined;
  const bytes = typeof expected === 'string' ? fromHex(expected) : expected;
  if (bytes?.length !== REPORT_DATA_SIZE) {
    throw new RangeError('Cannot appraise: the expected report data must be 64 bytes.');
  }
  return toHex(bytes);
}

/** What the host says of its launch spec alone is not a binding. */
function specDigestHex({ specDigest, reportData }: Expected): string | undefined {
  if (specDigest === undefined) return undefined;
  if (!/^[0-9a-f]{64}$/.test(specDigest)) {
    throw new RangeError('Cannot appraise: the digest of the launch spec must be 32 bytes.');
  }
  if (reportData === undefined) {
    throw new RangeError('Cannot appraise: a launch spec needs the report data that is over it.');
  }
  return specDigest;
}
