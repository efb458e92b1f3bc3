/**
 * A report and the certificate table in one: what a guest gets for an extended request.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { ownedBytes } from '../owned-bytes.ts';
import { REPORT_SIZE } from '../report/layout.ts';
import { evidenceFromCertificateTable } from './certificate-table.ts';

/**
 * Evidence of an extended report: 1184 bytes of report, and a certificate table behind them.
 *
 * @throws AttestationError `report-length` for fewer bytes than a report has, and
 *   `certificate-table-malformed` as {@link parseCertificateTable} does
 * @throws TypeError for anything but a Uint8Array
 */
export function evidenceFromExtendedReport(bytes: Uint8Array): Evidence {
  const extended = ownedBytes(bytes, 'an extended report');
  if (extended.length < REPORT_SIZE) {
    throw new AttestationError('report-length', 'the extended report is shorter than a report', {
      expected: `at least ${REPORT_SIZE} bytes`,
      found: `${extended.length} bytes`,
    });
  }
  return evidenceFromCertificateTable(
    extended.subarray(0, REPORT_SIZE),
    extended.subarray(REPORT_SIZE),
  );
}
