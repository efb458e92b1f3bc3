/**
 * In which envelope a report came, told by marks that no other envelope has.
 *
 * @module
 */
import { objectOf } from '../../client/json.ts';
import { InputError } from '../../input-error.ts';

export const REPORT_FORMATS = ['raw', 'extended', 'go-sev-guest', 'coco', 'azure-hcl'] as const;

export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** Bytes of a report. */
const REPORT_SIZE = 1184;
/** Bytes of a certificate table without an entry: its terminator. */
const EMPTY_TABLE_SIZE = 24;
/** What Azure's host compatibility layer hands out starts with this. */
const HCL_MARK = 'HCLA';
const BRACE = 0x7b;

/** @throws RangeError for the name of no format */
export function parseReportFormat(text: string): ReportFormat {
  const format = REPORT_FORMATS.find((name) => name === text);
  if (format === undefined) throw new RangeError(`it takes one of ${REPORT_FORMATS.join(', ')}`);
  return format;
}

/**
 * The format of what `--report` names, as `name` says to people.
 *
 * What has the length of a report is one, so that a damaged one is rejected and not misread; what
 * starts as a report does is one of a wrong length, or one with a certificate table behind it.
 *
 * @throws InputError `evidence-unrecognised`, or `json-malformed` for what only starts as JSON
 */
export function recogniseFormat(name: string, bytes: Uint8Array): ReportFormat {
  if (bytes.length === REPORT_SIZE) return 'raw';
  if (Buffer.from(bytes.subarray(0, HCL_MARK.length)).toString('latin1') === HCL_MARK) {
    return 'azure-hcl';
  }
  const json = jsonFormat(name, bytes);
  if (json !== undefined) return json;
  if (startsAsReport(bytes)) {
    return bytes.length >= REPORT_SIZE + EMPTY_TABLE_SIZE ? 'extended' : 'raw';
  }
  throw new InputError('evidence-unrecognised', `Cannot tell what kind of evidence ${name} is`, {
    expected: `a report of ${REPORT_SIZE} bytes, one with its certificate table, JSON of go-sev-guest or CoCo, or an Azure HCL report`,
    found: `${bytes.length} bytes of something else`,
    remedy: 'Name the format with --report-format if it is one of these.',
  });
}

/** The version: a small number in four bytes, the lowest first. */
function startsAsReport(bytes: Uint8Array): boolean {
  const [low = 0, ...high] = bytes.subarray(0, 4);
  return high.length === 3 && low > 0 && low < 32 && high.every((byte) => byte === 0);
}

/** Undefined for what is no JSON object, or one without the marks of one format alone. */
function jsonFormat(name: string, bytes: Uint8Array): ReportFormat | undefined {
  if (bytes.find((byte) => byte > 0x20) !== BRACE) return undefined;
  const document = parseObject(name, bytes);
  const isCoco = Object.hasOwn(document, 'attestation_report') || isWrapped(document);
  const isGoSevGuest = Object.hasOwn(document, 'report');
  if (isCoco === isGoSevGuest) return undefined;
  return isCoco ? 'coco' : 'go-sev-guest';
}

function isWrapped(document: object): boolean {
  return Object.hasOwn(document, 'platform') && Object.hasOwn(document, 'evidence');
}

function parseObject(name: string, bytes: Uint8Array): object {
  try {
    return objectOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new InputError('json-malformed', `${name} starts as JSON, and is none`, { cause });
  }
}
