/**
 * The longest text of a policy, without its reader.
 *
 * @module
 */

/** In bytes of UTF-8. */
export const MAX_POLICY_DOCUMENT = 256 * 1024;
