/**
 * A report as text between labelled lines, as PEM has certificates.
 *
 * No specification has a label for it, so those that are clear are taken.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { REPORT_SIZE } from '../report/layout.ts';
import { decodePem, REPORT_LABELS } from './encodings/pem.ts';
import { evidenceOf } from './evidence-of.ts';
import { unnamedCertificates } from './unnamed-certificates.ts';

/**
 * Evidence of a report in PEM, and of the certificates that may stand behind it in any order.
 *
 * @param text at most 128 KiB; its first label is one of `ATTESTATION REPORT`,
 *   `SEV-SNP ATTESTATION REPORT`, `SNP ATTESTATION REPORT` and `SEV-SNP REPORT`
 * @throws AttestationError `pem-malformed` for anything else, for no report or two, for a report of
 *   another length, and for two endorsement key certificates
 * @throws TypeError for neither text nor bytes
 */
export function evidenceFromReportPem(text: string | Uint8Array): Evidence {
  const whole = typeof text === 'string' ? text : decodeText(text);
  const label = REPORT_LABELS.find((each) =>
    whole.trimStart().startsWith(`-----BEGIN ${each}-----`),
  );
  if (label === undefined) throw malformed(`a label such as ${REPORT_LABELS[0]}`, 'another');
  const end = `-----END ${label}-----`;
  const at = whole.indexOf(end) < 0 ? whole.length : whole.indexOf(end) + end.length;
  const [report] = decodePem(whole.slice(0, at), label);
  if (report?.length !== REPORT_SIZE) {
    throw malformed(`a report of ${REPORT_SIZE} bytes`, `${report?.length} bytes`);
  }
  const rest = whole.slice(at);
  const certificates = unnamedCertificates(
    rest.trim() === '' ? [] : decodePem(rest, 'CERTIFICATE'),
  );
  if (certificates === undefined) throw malformed('one endorsement key certificate', 'two');
  return evidenceOf(report, certificates);
}

function decodeText(bytes: unknown): string {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('PEM must be a string or a Uint8Array');
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

function malformed(expected: string, found: string): AttestationError {
  const message = `PEM of a report: expected ${expected}, found ${found}`;
  return new AttestationError('pem-malformed', message, { expected, found });
}
