/**
 * Evidence of Tinfoil's enclaves: the attestation document, and the bundle that it comes in.
 *
 * @module
 */
import type { Evidence } from '../evidence.ts';
import { REPORT_SIZE } from '../report/layout.ts';
import { gunzip } from './encodings/gunzip.ts';
import {
  jsonBase64,
  jsonMalformed,
  jsonObject,
  jsonValue,
  type Members,
} from './encodings/json.ts';
import { evidenceOf } from './evidence-of.ts';
import { jsonEntry } from './json-entry.ts';

const FORMAT = 'https://tinfoil.sh/predicate/sev-snp-guest/v2';
const DOCUMENT = ['format', 'body'];
const REPORT = 'enclaveAttestationReport';
const BUNDLE = ['domain', REPORT, 'digest', 'sigstoreBundle', 'vcek', 'enclaveCert'];

/**
 * Evidence of a bundle, `{"enclaveAttestationReport": {"format", "body"}, "vcek": …, …}`, or of the
 * document in it alone, as text or parsed. The body is base64 of a report in gzip, by version 2 of
 * the format; the VCEK is base64 of DER.
 *
 * **What else is in a bundle is not looked at**: the release and its signature (`digest`,
 * `sigstoreBundle`) say which measurement to expect, and REPORT_DATA has the SHA-256 of the public
 * key of `enclaveCert` and a key for requests behind it. Both are for the caller to compare.
 *
 * @throws AttestationError `json-malformed` for anything else, another format, a body that is not
 *   gzip of 1184 bytes, unknown members, a member that occurs twice and more than 1 MiB included
 */
export function evidenceFromTinfoilJson(input: unknown): Evidence {
  const value = jsonValue(input);
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, REPORT)) {
    return { report: reportOf(jsonObject(value, 'the attestation document', DOCUMENT)) };
  }
  const bundle = jsonObject(value, 'the bundle', BUNDLE);
  const report = reportOf(jsonObject(bundle.get(REPORT), REPORT, DOCUMENT));
  const [vcek] = jsonEntry('vcek', jsonBase64(bundle.get('vcek'), 'vcek'), 'vcek');
  return evidenceOf(report, { vcek });
}

function reportOf(document: Members): Uint8Array {
  if (document.get('format') !== FORMAT) throw jsonMalformed('format', JSON.stringify(FORMAT));
  const compressed = jsonBase64(document.get('body'), 'body');
  const report = decompressed(compressed);
  if (report.length !== REPORT_SIZE) throw jsonMalformed('body', `gzip of ${REPORT_SIZE} bytes`);
  return report;
}

function decompressed(bytes: Uint8Array): Uint8Array {
  try {
    return gunzip(bytes, REPORT_SIZE);
  } catch (error) {
    throw jsonMalformed('body', `base64 of ${REPORT_SIZE} bytes in gzip`, error);
  }
}
