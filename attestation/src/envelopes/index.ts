/**
 * Evidence out of what it comes in: each kind has a function of its own, and none guesses.
 *
 * Pure, and for browsers too.
 *
 * @module
 */
export { evidenceFromAzureHcl, type HclEvidence, type HclHashAlgorithm } from './azure-hcl.ts';
export {
  type CertificateTable,
  encodeCertificateTable,
  evidenceFromCertificateTable,
  parseCertificateTable,
} from './certificate-table.ts';
export { evidenceFromCocoJson } from './coco.ts';
export { evidenceFromExtendedReport } from './extended-report.ts';
export { evidenceFromGoSevGuestJson } from './go-sev-guest.ts';
export { decodePem, encodePem, type PemLabel } from './pem.ts';
