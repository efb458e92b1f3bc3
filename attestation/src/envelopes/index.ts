/**
 * Reads evidence from envelopes: each kind has its own function, and none guesses the kind.
 *
 * Pure, and for browsers too.
 *
 * @module
 */
export { evidenceFromAttestationRsJson } from './attestation-rs.ts';
export { evidenceFromAzureHcl, type HclEvidence, type HclHashAlgorithm } from './azure-hcl.ts';
export { type AzureVtpmEvidence, evidenceFromAzureVtpmJson, type TpmQuote } from './azure-vtpm.ts';
export {
  type CertificateTable,
  encodeCertificateTable,
  evidenceFromCertificateTable,
  parseCertificateTable,
} from './certificate-table.ts';
export { evidenceFromCocoJson } from './coco.ts';
export { type DstackEvidence, evidenceFromDstack, evidenceFromDstackJson } from './dstack.ts';
export { decodePem, encodePem, type PemLabel } from './encodings/pem.ts';
export { evidenceFromExtendedReport } from './extended-report.ts';
export { evidenceFromGoSevGuestJson } from './go-sev-guest.ts';
export { evidenceFromReportPem } from './report-pem.ts';
export { evidenceFromReportResponse } from './report-response.ts';
export { evidenceFromTinfoilJson } from './tinfoil.ts';
export { evidenceFromTsmReportJson } from './tsm-report.ts';
