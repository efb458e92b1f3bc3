/**
 * What the kernel's `SNP_GET_REPORT` gives: the firmware's MSG_REPORT_RSP, as `/dev/sev-guest`
 * hands it out.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { ownedBytes } from '../owned-bytes.ts';
import { isZero } from '../report/field.ts';
import { REPORT_SIZE } from '../report/layout.ts';

/** Bytes of status, size and reserved before the report. */
const HEADER_SIZE = 32;
const STATUS = 0;
const SIZE = 4;
const RESERVED = 8;
const END = HEADER_SIZE + REPORT_SIZE;

/**
 * Without padding; as kernels before 5.19 hand it out; and since, as `struct snp_report_resp` is.
 */
const SIZES: readonly number[] = [END, END + 64, 4000];

/**
 * Evidence of the raw response to a request for a report. It has no certificate.
 *
 * @throws AttestationError `report-response-malformed` for another length, a status that is not
 *   success, another report size, and for anything but zeros in what is reserved or behind the
 *   report
 * @throws TypeError for anything but a Uint8Array
 */
export function evidenceFromReportResponse(bytes: Uint8Array): Evidence {
  const response = ownedBytes(bytes, 'a report response');
  if (!SIZES.includes(response.length)) {
    throw malformed('has the wrong length', `${SIZES.join(', ')} bytes`, response.length);
  }
  const word = (offset: number) => new DataView(response.buffer).getUint32(offset, true);
  if (word(STATUS) !== 0) throw malformed('says that there is no report', 'status 0', word(STATUS));
  if (word(SIZE) !== REPORT_SIZE) {
    throw malformed('has a report of another size', String(REPORT_SIZE), word(SIZE));
  }
  if (!isZero(response.subarray(RESERVED, HEADER_SIZE)) || !isZero(response.subarray(END))) {
    throw malformed('has something around the report', 'zeros', response.length);
  }
  return { report: response.slice(HEADER_SIZE, END) };
}

function malformed(message: string, expected: string, found: number): AttestationError {
  return new AttestationError('report-response-malformed', `the report response ${message}`, {
    expected,
    found: String(found),
  });
}
