/**
 * An error answer of the fake agent.
 *
 * @module
 */
import type { GuestErrorCode } from '../guest-errors.ts';

export class FakeRefusal extends Error {
  readonly code: GuestErrorCode;

  constructor(code: GuestErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
