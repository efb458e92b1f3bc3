/**
 * A report of Linux's configfs-tsm as JSON: what clients of Veraison send as
 * `application/vnd.veraison.tsm-report+json`.
 *
 * @module
 */
import type { Evidence } from '../evidence.ts';
import { evidenceFromCertificateTable } from './certificate-table.ts';
import { jsonBase64, jsonMalformed, jsonObject, jsonValue } from './encodings/json.ts';

/** The kernel ends the line, and clients send it as it is. */
const PROVIDERS: readonly unknown[] = ['sev_guest', 'sev_guest\n'];
const BASE64URL = /^[A-Za-z0-9_-]*$/;

/**
 * Evidence of `{"provider": "sev_guest", "outblob": …, "auxblob": …}`, as text or parsed: base64url
 * without padding of a report, and of the certificate table that its host gave along, if any.
 *
 * A report over a service manifest (`service_provider`, `manifestblob`) is refused: its REPORT_DATA
 * is a digest over the manifest too, which nothing here would look at.
 *
 * @throws AttestationError `json-malformed` for anything else, unknown members, a member that
 *   occurs twice and more than 1 MiB included; `certificate-table-malformed` as
 *   {@link parseCertificateTable}
 */
export function evidenceFromTsmReportJson(input: unknown): Evidence {
  const names = ['provider', 'outblob', 'auxblob'];
  const members = jsonObject(jsonValue(input), 'the TSM report', names);
  if (!PROVIDERS.includes(members.get('provider'))) throw jsonMalformed('provider', '"sev_guest"');
  const report = base64url(members.get('outblob'), 'outblob');
  const table = base64url(members.get('auxblob') ?? '', 'auxblob');
  return table.length === 0 ? { report } : evidenceFromCertificateTable(report, table);
}

function base64url(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'string' || !BASE64URL.test(value)) {
    throw jsonMalformed(path, 'base64url without padding');
  }
  return jsonBase64(value, path);
}
