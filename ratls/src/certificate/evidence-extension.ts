/**
 * The extension that carries evidence: CBOR tag ([report ‖ certificate table, claims-buffer]), as
 * Interoperable RA-TLS has it.
 *
 * @module
 */
import { array, bytes, CborError, CborReader, tagged } from './cbor.ts';

/** The technology that the evidence is from. */
export type Tee = 'sev-snp' | 'simulated';

/** Tag of SEV-SNP evidence. */
const SEV_SNP_TAG = 0x1a7504;

/**
 * The extension's identifier: for hardware that of DICE; for a simulation one that no verifier of
 * hardware reads, under the UUID c2d56761-2bda-4038-8928-1b5c86d1bed7 in parts, since some readers
 * take no arc of 128 bits.
 */
export const EVIDENCE_OIDS: Readonly<Record<Tee, string>> = {
  'sev-snp': '2.23.133.5.4.9',
  simulated: '1.2.840.113556.1.8000.2554.49877.26465.11226.16440.35112.1793158.13745879',
};

export interface EvidenceExtension {
  /** ATTESTATION_REPORT, 1184 bytes. */
  readonly report: Uint8Array;
  /** The certificate table that came along; empty where none did. */
  readonly certificates: Uint8Array;
  readonly claims: Uint8Array;
}

const REPORT_SIZE = 1184;

export function encodeEvidence({ report, certificates, claims }: EvidenceExtension): Uint8Array {
  const extendedReport = Buffer.concat([report, certificates]);
  return tagged(SEV_SNP_TAG, array(bytes(extendedReport), bytes(claims)));
}

/** @throws {CborError} for any other bytes */
export function decodeEvidence(value: Uint8Array): EvidenceExtension {
  const reader = new CborReader(value);
  reader.tag(SEV_SNP_TAG);
  reader.array(2);
  const extendedReport = reader.bytes();
  const claims = reader.bytes();
  reader.end();
  const report = extendedReport.subarray(0, REPORT_SIZE);
  if (report.length < REPORT_SIZE) {
    throw new CborError(`a report of ${REPORT_SIZE} bytes`, `${report.length}`);
  }
  return { report, certificates: extendedReport.subarray(REPORT_SIZE), claims };
}
