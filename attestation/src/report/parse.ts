/**
 * Parses the bytes of a report.
 *
 * @module
 */
import { ParsedReport } from './parsed-report.ts';

/**
 * Parses an attestation report of version 2, 3, 4 or 5 (AMD 56860, ATTESTATION_REPORT).
 *
 * One report has one encoding: 1184 bytes, with zero wherever its version and its product have no
 * meaning for a byte. Bits of PLATFORM_INFO that are not known pass, since a policy decides on
 * them. The bytes are copied.
 *
 * @throws AttestationError with the first code that applies, in this order: `report-length`,
 *   `report-version`, `report-reserved`, `report-guest-policy`, `report-vmpl`,
 *   `report-signature-algorithm`, `report-key-info`, `report-signature-encoding`, `product`,
 *   `report-tcb`
 * @throws TypeError for anything but a Uint8Array
 */
export function parseReport(bytes: Uint8Array): ParsedReport {
  return new ParsedReport(bytes);
}
