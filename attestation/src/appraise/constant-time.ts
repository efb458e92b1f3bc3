/**
 * Compares in constant time, so that the time does not reveal how much was equal.
 *
 * @module
 */

/**
 * Whether two strings are equal; the time depends on their lengths alone.
 *
 * Otherwise a guest that measures the time could find an expected value digit by digit.
 */
export function constantTimeEqual(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index += 1) {
    difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  }
  return difference === 0;
}

/** Whether one of a list is equal; the time does not reveal which. */
export function constantTimeIncludes(list: readonly string[], value: string): boolean {
  let matches = 0;
  for (const entry of list) matches |= Number(constantTimeEqual(value, entry));
  return matches === 1;
}
