/**
 * PEM: DER as text between labelled lines (RFC 7468).
 *
 * @module
 */
import { AttestationError, type AttestationErrorDetails } from '../../errors.ts';

/** Labels of reports: there is no standard one. */
export const REPORT_LABELS = [
  'ATTESTATION REPORT',
  'SEV-SNP ATTESTATION REPORT',
  'SNP ATTESTATION REPORT',
  'SEV-SNP REPORT',
] as const;

/** What may be inside. */
export type PemLabel = 'CERTIFICATE' | 'X509 CRL' | (typeof REPORT_LABELS)[number];

/** Enough for 16 of anything that the parsers take, certificates of 4 KiB or one list of 64 KiB. */
const MAX_TEXT = 131_072;
const MAX_BLOCKS = 16;
const MAX_LINE = 76;
const ENCODED_LINE = 64;
const BLANK = /^[ \t]*$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * The DER of each block, in order.
 *
 * Between blocks only blank lines may stand. Lines end with LF or CRLF and hold at most 76
 * characters; the base64 is canonical. What the DER says is not looked at.
 *
 * @param text at most 128 KiB.
 * @throws {AttestationError} `pem-malformed` for anything else, for other labels, and for none or
 *   more than 16 blocks.
 * @throws {TypeError} for neither text nor bytes.
 *
 * @example
 * ```ts
 * const [ask, ark] = decodePem(await readFile('cert_chain.pem'), 'CERTIFICATE');
 * ```
 */
export function decodePem(text: string | Uint8Array, label: PemLabel): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  const lines = toLines(text).entries();
  for (const [index, line] of lines) {
    if (BLANK.test(line)) continue;
    if (line !== begin(label)) throw malformed(begin(label), atLine(index, line));
    if (blocks.length === MAX_BLOCKS) throw malformed(`at most ${MAX_BLOCKS} blocks`, 'more');
    blocks.push(readBlock(lines, label));
  }
  if (blocks.length === 0) throw malformed(begin(label), 'nothing');
  return blocks;
}

/** One block, its lines 64 characters long, with a newline at the end. */
export function encodePem(label: PemLabel, der: Uint8Array): string {
  const base64 = toBase64(der);
  const lines: string[] = [];
  for (let start = 0; start < base64.length; start += ENCODED_LINE) {
    lines.push(base64.slice(start, start + ENCODED_LINE));
  }
  return [begin(label), ...lines, end(label), ''].join('\n');
}

/** Reads on behind the first line of a block, to its last. */
function readBlock(lines: Iterable<[number, string]>, label: PemLabel): Uint8Array {
  let base64 = '';
  for (const [index, line] of lines) {
    if (line === end(label)) return fromBase64(base64, index);
    if (line.length > MAX_LINE || !BASE64.test(line)) {
      throw malformed(`base64 or ${end(label)}`, atLine(index, line));
    }
    base64 += line;
  }
  throw malformed(end(label), 'the end of the text');
}

function begin(label: PemLabel): string {
  return `-----BEGIN ${label}-----`;
}

function end(label: PemLabel): string {
  return `-----END ${label}-----`;
}

function toLines(text: string | Uint8Array): string[] {
  if (typeof text !== 'string' && !(text instanceof Uint8Array)) {
    throw new TypeError('PEM must be a string or a Uint8Array');
  }
  if (text.length > MAX_TEXT) {
    throw malformed(`at most ${MAX_TEXT} characters`, `${text.length}`);
  }
  // Bytes beyond ASCII become characters that no line may hold.
  const whole =
    typeof text === 'string' ? text : new TextDecoder('utf-8', { ignoreBOM: true }).decode(text);
  return whole.split(/\r?\n/);
}

function fromBase64(base64: string, index: number): Uint8Array {
  const refuse = () => malformed('canonical base64', `${atLine(index, base64)} and above`);
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) throw refuse();
  const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  // Bits that the padding drops must be zero, or one certificate has several texts.
  if (toBase64(der) !== base64) throw refuse();
  return der;
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

function atLine(index: number, text: string): string {
  return `${JSON.stringify(text.slice(0, 80))} at line ${index + 1}`;
}

function malformed(expected: string, found: string): AttestationError {
  const details: AttestationErrorDetails = { expected, found };
  return new AttestationError(
    'pem-malformed',
    `PEM: expected ${expected}, found ${found}`,
    details,
  );
}
