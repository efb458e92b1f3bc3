/**
 * What takes hours is tested by a soak alone, `npm run soak`; docs/development/testing.md says what
 * that is.
 *
 * @module
 */

/** Whether this is one. */
export const SOAK: boolean = process.env['SOAK'] !== undefined;
