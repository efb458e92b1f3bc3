/**
 * How the checks of one verification went.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import { VERIFY_CHECKS, type VerifyCheck, type VerifyCode } from './verify-checks.ts';

const ORDER = Object.keys(VERIFY_CHECKS) as readonly VerifyCode[];

/** Evidence was refused: `code` names the check that failed, `checks` lists all of them. */
export class VerificationError extends AttestationError {
  declare readonly code: VerifyCode;
  readonly checks: readonly VerifyCheck[];

  constructor(refusal: Refusal, checks: readonly VerifyCheck[]) {
    super(refusal.code, refusal.message, refusal);
    this.checks = checks;
  }
}

/** An {@link AttestationError} of one of the checks. */
export type Refusal = AttestationError & { readonly code: VerifyCode };

/** Whether an error says that a check failed. */
export function isRefusal(error: unknown): error is Refusal {
  return error instanceof AttestationError && error.code in VERIFY_CHECKS;
}

/** Checks without an input, recorded while a verification runs. */
export class Trace {
  readonly #absent = new Set<VerifyCode>();

  /** These will not run: what they look at was not supplied or does not exist. */
  skip(...codes: readonly VerifyCode[]): void {
    for (const code of codes) this.#absent.add(code);
  }

  /** All checks. None failed. */
  passed(): readonly VerifyCheck[] {
    return Object.freeze(ORDER.map((code) => this.#before(code)));
  }

  /** All checks: those before the refusal, the refusal, and the skipped ones after it. */
  failed(refusal: Refusal): readonly VerifyCheck[] {
    const at = ORDER.indexOf(refusal.code);
    return Object.freeze(
      ORDER.map((code, index): VerifyCheck => {
        if (index < at) return this.#before(code);
        return index > at ? Object.freeze({ code, verdict: 'skipped' }) : failure(refusal);
      }),
    );
  }

  #before(code: VerifyCode): VerifyCheck {
    return Object.freeze({ code, verdict: this.#absent.has(code) ? 'skipped' : 'passed' });
  }
}

function failure({ code, expected, found }: Refusal): VerifyCheck {
  return Object.freeze({
    code,
    verdict: 'failed',
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { actual: found }),
  });
}
