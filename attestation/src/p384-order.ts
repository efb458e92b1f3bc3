/**
 * The elliptic curve on which endorsement keys and ID keys are: P-384, secp384r1.
 *
 * @module
 */

/** Order of the base point (SEC 2, 2.5.1): numbers of a signature are above zero and below it. */
export const P384_ORDER =
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n;
