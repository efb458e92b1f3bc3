/**
 * Validates a guest's requests, and refuses them as the firmware does.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';

/** Status of a response to a request with a parameter that will not do (MSG_KEY_RSP, STATUS). */
export const INVALID_PARAMETERS = 0x16;

const MAX_VMPL = 3;

/** The refusal of a request or a launch. */
export function refused(
  reason: string,
  details: { readonly expected?: string; readonly found?: string; readonly cause?: unknown } = {},
): AttestationError {
  return new AttestationError(
    'simulated-request',
    `The simulated secure processor refuses: ${reason} (status 0x${INVALID_PARAMETERS.toString(16)}).`,
    details,
  );
}

/** A copy of the bytes, which must be so many. */
export function exactBytes(name: string, value: Uint8Array, length: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) {
    throw refused(`${name} must have exactly ${length} bytes`, {
      expected: `${length} bytes`,
      found: value instanceof Uint8Array ? `${value.length} bytes` : typeof value,
    });
  }
  return Uint8Array.from(value);
}

/** An integer from 0 to a limit, of the limit's own type. */
export function within<T extends number | bigint>(name: string, value: T, limit: T): T {
  const whole = typeof value === 'bigint' || Number.isInteger(value);
  if (typeof value !== typeof limit || !whole || value < 0 || value > limit) {
    throw refused(`${name} is out of range`, { expected: `0 to ${limit}`, found: String(value) });
  }
  return value;
}

/** A privilege level that a caller may speak for: its own, or one with less privilege. */
export function permittedVmpl(requested: number, caller: number): number {
  within('the VMPL of the caller', caller, MAX_VMPL);
  within('VMPL', requested, MAX_VMPL);
  if (requested < caller) {
    throw refused('a caller cannot speak for a more privileged VMPL', {
      expected: `at least ${caller}`,
      found: `${requested}`,
    });
  }
  return requested;
}
