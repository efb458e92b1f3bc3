/**
 * The claims of verified evidence.
 *
 * @module
 */
import type { Crl } from '../certificates/crl.ts';
import type { Vek } from '../certificates/vek.ts';
import { tcbClassOf } from '../report/parsed-report.ts';
import type { Product, TcbClass } from '../report/product.ts';
import type { ReportClaims, VekKind } from '../report/report-claims.ts';
import type { FixedOptions } from './options.ts';
import { timestamp } from './validity.ts';

/** The endorsement key that signed. */
export interface EndorsementClaims {
  readonly kind: VekKind;
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
  /** When the relying party got it, RFC 3339; null where it did not say. */
  readonly obtainedAt: string | null;
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

/** What {@link verifiedClaims} is made of. */
interface Verified {
  readonly claims: ReportClaims;
  readonly product: Product;
  readonly chipMasked: boolean;
  readonly vek: Vek;
  readonly crl: Crl | null;
  readonly options: FixedOptions;
}

/**
 * The class where there is no CPUID: reports of version 2 were made before any other class existed.
 */
const OLDEST_CLASS: Readonly<Record<Product, TcbClass>> = {
  Milan: 'milan',
  Genoa: 'genoa',
  Turin: 'turin',
};

/** Puts together what a verification has found; frozen through and through. */
export function verifiedClaims(verified: Verified): Claims {
  const { claims, product, chipMasked, vek, crl, options } = verified;
  const { kind, productName, cspId, hwid } = vek;
  return Object.freeze({
    ...claims,
    product,
    tcbClass: tcbClassOf(claims) ?? OLDEST_CLASS[product],
    chipMasked,
    endorsement: Object.freeze({
      kind,
      productName,
      cspId,
      hwid,
      notBefore: timestamp(vek.notBefore),
      notAfter: timestamp(vek.notAfter),
    }),
    revocation: crl === null ? null : revocationClaims(crl, options.crlObtainedAt),
    verifiedAt: timestamp(options.now),
  });
}

function revocationClaims(crl: Crl, obtainedAt: number | null): RevocationClaims {
  return Object.freeze({
    number: crl.number,
    thisUpdate: timestamp(crl.thisUpdate),
    nextUpdate: timestamp(crl.nextUpdate),
    obtainedAt: obtainedAt === null ? null : timestamp(obtainedAt),
  });
}
