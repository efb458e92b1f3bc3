/**
 * Verification of a revocation list alone, before it is stored.
 *
 * @module
 */
import { ownedBytes } from '../owned-bytes.ts';
import type { Product } from '../report/product.ts';
import { AMD_ANCHORS } from '../roots/amd.ts';
import { crlVerification } from './check-crl.ts';
import { answerNow } from './node-signatures.ts';
import { time } from './options.ts';
import { timestamp } from './validity.ts';

/** A revocation list that AMD's root of the product signed, and that is current. */
export interface VerifiedCrl {
  /** cRLNumber: a later list has a higher one. */
  readonly number: bigint;
  /** RFC 3339. */
  readonly thisUpdate: string;
  /** RFC 3339. */
  readonly nextUpdate: string;
}

/**
 * Verifies a revocation list (DER) of AMD for a product.
 *
 * @throws AttestationError with one of the codes `crl-encoding`, `crl-issuer`, `crl-signature` and
 * `crl-validity`.
 */
export function verifyCrl(der: Uint8Array, product: Product, now: Date): VerifiedCrl {
  const { organization, products } = AMD_ANCHORS;
  if (!Object.hasOwn(products, product)) throw new TypeError(`No product ${product} is known.`);
  const root = products[product].ark;
  const verification = crlVerification(
    ownedBytes(der, 'a revocation list'),
    root,
    organization,
    time('now', now),
  );
  const { number, thisUpdate, nextUpdate } = answerNow(verification);
  return { number, thisUpdate: timestamp(thisUpdate), nextUpdate: timestamp(nextUpdate) };
}
