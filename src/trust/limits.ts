/**
 * Bounds on evidence that more than one folder holds it to.
 *
 * @module
 */

/** Bytes of a transparency log entry's body. */
export const MAX_BODY = 128 * 1024;

/** A list of all packages of an image, with everything about them, has some hundred thousand. */
export const MAX_STATEMENT_VALUES = 500_000;
