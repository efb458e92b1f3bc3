/**
 * An error answer of the fake agent.
 *
 * @module
 */
import type { GuestErrorCode } from '../guest-errors.ts';

export class FakeRefusal extends Error {
  readonly code: GuestErrorCode;
  /** The field of the launch spec that decided. */
  readonly rule: string | undefined;

  constructor(code: GuestErrorCode, message: string, rule?: string) {
    super(message);
    this.code = code;
    this.rule = rule;
  }
}
