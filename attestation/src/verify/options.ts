/**
 * The options of a verification.
 *
 * @module
 */
import { ownedBytes } from '../owned-bytes.ts';

/**
 * Verification reads no clock, network or environment: these are all of its inputs beside the
 * evidence.
 */
export interface VerifyOptions {
  /** The time at which certificates and lists must be valid. */
  readonly now: Date;
  /**
   * DER of the product's certificate revocation list.
   *
   * Without one no revocation is checked; the policy decides whether that suffices.
   */
  readonly crl?: Uint8Array | undefined;
  /**
   * When the relying party got the list.
   *
   * Where absent, the age is unknown, and a policy that limits it rejects.
   */
  readonly crlObtainedAt?: Date | undefined;
  /**
   * Accepts an endorsement key certificate that names another product than the report.
   *
   * Some certificates of genuine Genoa processors are known to do so. False where absent.
   */
  readonly allowProductNameMismatch?: boolean | undefined;
}

/** A verification's own copy, which the caller cannot change while it runs. */
export interface FixedOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly crl: Uint8Array | undefined;
  readonly crlObtainedAt: number | null;
  readonly allowProductNameMismatch: boolean;
}

/** Copies and checks options. Throws `TypeError` at a caller's mistake. */
export function fixOptions(options: VerifyOptions): FixedOptions {
  const now = time('now', options.now);
  const { crl, crlObtainedAt } = options;
  return {
    now,
    crl: crl === undefined ? undefined : ownedBytes(crl, 'crl'),
    crlObtainedAt: crlObtainedAt === undefined ? null : time('crlObtainedAt', crlObtainedAt),
    allowProductNameMismatch: options.allowProductNameMismatch === true,
  };
}

/** Milliseconds since 1970; a `TypeError` for what is no time. */
export function time(name: string, value: unknown): number {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  throw new TypeError(`Cannot verify: ${name} must be a valid Date.`);
}
