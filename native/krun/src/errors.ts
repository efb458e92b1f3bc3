/**
 * The one error class of this package.
 *
 * @module
 */
import { constants } from 'node:os';
import type { ErrnoName } from './api/describe.ts';

/** Codes of this package's own refusals: nothing was called then. */
type OwnCode =
  /** No library was found, or it could not be loaded. */
  | 'krun-library-missing'
  /** The library lacks the function. */
  | 'krun-function-missing'
  /** A value that the function cannot take. */
  | 'krun-argument'
  /** A context that was freed or started, or a call that may be made once. */
  | 'krun-misuse'
  /** A description that the shim does not take. */
  | 'krun-description'
  /** The shim could not give up the rights that it had. */
  | 'krun-privileges';

/** Codes of libkrun's own refusals, by the error that it returned. */
const CODES = {
  EALREADY: 'krun-already-set',
  EEXIST: 'krun-exists',
  EINVAL: 'krun-refused',
  ENODEV: 'krun-no-device',
  ENOENT: 'krun-not-found',
  ENOMEM: 'krun-too-many',
  ENOTDIR: 'krun-no-directory',
  ENOTSUP: 'krun-not-supported',
  ENOTTY: 'krun-no-terminal',
  EPERM: 'krun-denied',
} as const satisfies Record<ErrnoName, string>;

/** Every code of a {@link KrunError}; each is stable. */
export type KrunCode = OwnCode | (typeof CODES)[ErrnoName] | 'krun-failed';

export interface KrunErrorDetails {
  /** The function of libkrun, where one failed or is missing. */
  readonly function?: string | undefined;
  /** The name of the error that it returned. */
  readonly errno?: string | undefined;
  /** One sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** libkrun or this package refused something: `code` is stable, `message` is for people. */
export class KrunError extends Error {
  override readonly name = 'KrunError';
  readonly code: KrunCode;
  readonly function: string | undefined;
  readonly errno: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: KrunCode, message: string, details: KrunErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.function = details.function;
    this.errno = details.errno;
    this.remedy = details.remedy;
  }
}

/** The names of a negative result: Linux has two for the number of ENOTSUP. */
export function errnoName(result: number): string {
  if (result === -constants.errno.EOPNOTSUPP) return 'ENOTSUP';
  const known = Object.entries(constants.errno).find(([, number]) => number === -result);
  return known?.[0] ?? `error ${-result}`;
}

export function codeOf(errno: string): KrunCode {
  return Object.entries(CODES).find(([name]) => name === errno)?.[1] ?? 'krun-failed';
}
