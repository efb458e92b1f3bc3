/**
 * Recognises the envelope of a report by marks that no other envelope has.
 *
 * @module
 */
import { objectOf } from '../../../client/json.ts';
import { InputError } from '../../../files/input-error.ts';

export const REPORT_FORMATS = [
  'raw',
  'extended',
  'report-response',
  'pem',
  'go-sev-guest',
  'coco',
  'azure-hcl',
  'az-snp-vtpm',
  'attestation-rs',
  'tinfoil',
  'dstack',
  'tsm-report',
] as const;

export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** Bytes of a report. */
const REPORT_SIZE = 1184;
/** Bytes of a certificate table without an entry: its terminator. */
const EMPTY_TABLE_SIZE = 24;
/** The data of Azure's host compatibility layer starts with these bytes. */
const HCL_MARK = 'HCLA';
const BRACE = 0x7b;
/**
 * Sizes of the answers of `/dev/sev-guest`, and the beginning of such an answer: success, and a
 * report.
 */
const RESPONSE_SIZES: readonly number[] = [1216, 1280, 4000];
const RESPONSE_START = Buffer.from('00000000a0040000'.padEnd(64, '0'), 'hex');
const PEM_REPORT = /^\s*-----BEGIN [A-Z -]*REPORT-----/;
/** Version 0 of dstack's attestations, on SEV-SNP; and a map, which begins version 1. */
const DSTACK_0 = [0, 3];
const DSTACK_1 = /^[\x80-\x8f\xde\xdf].{0,5}version/s;

/** @throws RangeError for the name of no format */
export function parseReportFormat(text: string): ReportFormat {
  const format = REPORT_FORMATS.find((name) => name === text);
  if (format === undefined) throw new RangeError(`it takes one of ${REPORT_FORMATS.join(', ')}`);
  return format;
}

/**
 * The format of the input of `--report`, with the name that `name` shows to people.
 *
 * An input with the length of a report is treated as one, so that a damaged report is rejected and
 * not misread. An input that starts as a report does is a report of a wrong length, or one with a
 * certificate table behind it.
 *
 * @throws InputError `evidence-unrecognised`, or `json-malformed` for an input that only starts as
 * JSON
 */
export function recogniseFormat(name: string, bytes: Uint8Array): ReportFormat {
  if (bytes.length === REPORT_SIZE) return 'raw';
  if (Buffer.from(bytes.subarray(0, HCL_MARK.length)).toString('latin1') === HCL_MARK) {
    return 'azure-hcl';
  }
  if (isResponse(bytes)) return 'report-response';
  const start = Buffer.from(bytes.subarray(0, 128)).toString('latin1');
  if (PEM_REPORT.test(start)) return 'pem';
  if (DSTACK_0.every((byte, index) => bytes[index] === byte) || DSTACK_1.test(start)) {
    return 'dstack';
  }
  const json = jsonFormat(name, bytes);
  if (json !== undefined) return json;
  if (startsAsReport(bytes)) {
    return bytes.length >= REPORT_SIZE + EMPTY_TABLE_SIZE ? 'extended' : 'raw';
  }
  throw new InputError('evidence-unrecognised', `Cannot tell what kind of evidence ${name} is`, {
    expected: `a report of ${REPORT_SIZE} bytes, one with its certificate table, or one in an envelope: ${REPORT_FORMATS.slice(2).join(', ')}`,
    found: `${bytes.length} bytes of something else`,
    remedy: 'Name the format with --report-format if it is one of these.',
  });
}

/** Whether it begins as a JSON object does. */
export function isJson(bytes: Uint8Array): boolean {
  return bytes.find((byte) => byte > 0x20) === BRACE;
}

/** The version: a small number in four bytes, the lowest first. */
function startsAsReport(bytes: Uint8Array): boolean {
  const [low = 0, ...high] = bytes.subarray(0, 4);
  return high.length === 3 && low > 0 && low < 32 && high.every((byte) => byte === 0);
}

function isResponse(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, RESPONSE_START.length));
  return RESPONSE_SIZES.includes(bytes.length) && start.equals(RESPONSE_START);
}

/** Undefined for an input that is not a JSON object, or has not the marks of exactly one format. */
function jsonFormat(name: string, bytes: Uint8Array): ReportFormat | undefined {
  if (!isJson(bytes)) return undefined;
  const document = parseObject(name, bytes);
  const found = JSON_MARKS.filter(([, isMarked]) => isMarked(document));
  const [only, ...more] = found;
  return more.length === 0 ? only?.[0] : undefined;
}

type Document = Readonly<Record<string, unknown>>;

const has =
  (...names: readonly string[]) =>
  (document: Document) =>
    names.every((name) => Object.hasOwn(document, name));

const isWrapped = has('platform', 'evidence');
const isFromAzure = ({ platform }: Document) => platform === 'az-snp';

/** One for each way to recognise a format. */
const JSON_MARKS: readonly (readonly [ReportFormat, (document: Document) => boolean])[] = [
  ['coco', has('attestation_report')],
  ['coco', (document) => isWrapped(document) && !isFromAzure(document)],
  ['attestation-rs', (document) => isWrapped(document) && isFromAzure(document)],
  ['go-sev-guest', (document) => has('report')(document) && !has('quote')(document)],
  ['az-snp-vtpm', has('hcl_report')],
  ['az-snp-vtpm', has('quote', 'report')],
  ['tinfoil', has('enclaveAttestationReport')],
  ['tinfoil', has('format', 'body')],
  ['dstack', has('attestation')],
  ['tsm-report', has('outblob')],
];

function parseObject(name: string, bytes: Uint8Array): Document {
  try {
    return objectOf(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new InputError('json-malformed', `${name} starts as JSON, and is none`, { cause });
  }
}
