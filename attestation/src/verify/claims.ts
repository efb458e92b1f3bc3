/**
 * What is known of evidence once it is verified.
 *
 * @module
 */
import type { ReportClaims } from '../report/claims.ts';
import type { Product, TcbClass } from '../report/product.ts';

/** The endorsement key that signed. */
export interface EndorsementClaims {
  readonly kind: 'VCEK' | 'VLEK';
  /** The certificate's productName, such as `Milan-B0`. */
  readonly productName: string;
  /** CSP_ID of a VLEK, such as `CN=cc-us-east-2.amazonaws.com`. */
  readonly cspId: string | null;
  /** HWID of a VCEK: 64 bytes, on Turin 8. */
  readonly hwid: string | null;
  /** RFC 3339. */
  readonly notBefore: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

/** The revocation list that was looked at. */
export interface RevocationClaims {
  /** cRLNumber. */
  readonly number: bigint;
  /** RFC 3339. */
  readonly thisUpdate: string;
  /** RFC 3339. */
  readonly nextUpdate: string;
  /** When the relying party got it, RFC 3339. */
  readonly obtainedAt: string;
}

/** The report's fields, and what the chain under it adds. */
export interface Claims extends ReportClaims {
  readonly product: Product;
  readonly tcbClass: TcbClass;
  /** Whether the report hides its chip: CHIP_ID is zero. */
  readonly chipMasked: boolean;
  readonly endorsement: EndorsementClaims;
  /** Null where no revocation list was supplied. */
  readonly revocation: RevocationClaims | null;
  /** The time at which all this held, RFC 3339. */
  readonly verifiedAt: string;
}
