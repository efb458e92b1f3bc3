/**
 * The reason why a signature does not count.
 *
 * @module
 */

/** Stable: programs branch on these codes, and findings contain them. */
export type ProblemCode =
  | 'too-many-attachments'
  | 'too-many-signatures'
  | 'too-large'
  | 'malformed'
  | 'number-not-finite'
  | 'altered'
  | 'unknown-format'
  | 'other-subject'
  | 'other-digest'
  | 'wrong-type'
  | 'other-reference'
  | 'annotation-differs'
  | 'other-predicate-type'
  | 'condition-failed'
  | 'no-certificate'
  | 'certificate-not-asked-for'
  | 'no-key-matches'
  | 'other-identity'
  | 'certificate-malformed'
  | 'certificate-untrusted'
  | 'certificate-not-valid-then'
  | 'certificate-usage'
  | 'sct-missing'
  | 'sct-invalid'
  | 'no-signed-time'
  | 'timestamp-invalid'
  | 'log-entry-missing'
  | 'log-entry-malformed'
  | 'log-entry-unproven'
  | 'log-entry-of-other-artifact'
  | 'signature-invalid'
  | 'trusted-root-unavailable';

/**
 * Thrown where a signature is found not to count. The message goes on after "1 signature was found:
 * ".
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;

  constructor(code: ProblemCode, message: string) {
    super(visible(message));
    this.code = code;
  }
}

const MAX_SHOWN = 200;
const MAX_MESSAGE = 1000;
/** Control characters, and characters that change the direction or position of later text. */
const INVISIBLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Text of unknown origin, in quotes and short enough for one sentence. */
export function quoted(text: string): string {
  return visible(JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text));
}

function visible(text: string): string {
  const shown = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
  return shown.replace(INVISIBLE, '?');
}
