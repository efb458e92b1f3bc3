/**
 * The one error class of this package.
 *
 * A caller's own mistake is a `TypeError` or `RangeError`.
 *
 * @module
 */

/** Each code, and the rule that it stands for. The agent answers with the same codes. */
export const SEALING_CODES = {
  'envelope-malformed': 'the bytes are one envelope, in its one encoding',
  'envelope-version': 'the versions of the envelope and of its key are known',
  'sealed-tee': 'hardware opens what hardware sealed, and a simulation what a simulation sealed',
  'sealing-policy': 'the launch spec permits the policy of the envelope',
  'sealed-purpose': 'the envelope was sealed for the purpose that is asked for',
  'sealed-spec': 'the envelope was sealed under the launch spec of this guest',
  'sealed-measurement': 'an exact envelope was sealed under the launch digest of this guest',
  'sealed-id-key': 'an upgradable envelope was sealed under the ID key of this guest',
  'sealed-svn': 'the guest SVN is at least the one of the envelope',
  'seal-broken': 'the envelope is unchanged, and of this processor',
} as const;
export type SealingCode = keyof typeof SEALING_CODES;

/** An envelope was refused: `code` is stable and names the rule that decided. */
export class SealingError extends Error {
  override readonly name = 'SealingError';
  readonly code: SealingCode;
  readonly expected: string | undefined;
  readonly found: string | undefined;

  constructor(
    code: SealingCode,
    message: string,
    details: { readonly expected?: string; readonly found?: string; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.expected = details.expected;
    this.found = details.found;
  }
}
