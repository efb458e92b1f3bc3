/**
 * A report whose bytes are well-formed, and which is not verified yet.
 *
 * A caller may only pass it on. The functions that read it are for verification and not part of the
 * package's interface, except {@link unverifiedClaims}.
 *
 * @module
 */

import { ownedBytes } from '../owned-bytes.ts';
import { checkReport } from './check.ts';
import { decodeClaims } from './decode.ts';
import { fieldBytes } from './field.ts';
import { FIELDS, type Field, SCALAR_SIZE, SIGNED_SIZE } from './layout.ts';
import { type Product, type TcbClass, tcbClassOf as tcbClassOfProcessor } from './product.ts';
import type { ReportClaims } from './report-claims.ts';

let bytesOf: (report: ParsedReport) => Uint8Array;
let fieldsOf: (report: ParsedReport) => ReportClaims;
let productIn: (report: ParsedReport) => Product | null;

/**
 * A well-formed report: every check of {@link parseReport} holds for it, because making one is
 * running them.
 *
 * It shows no claim: those that were signed are read from a `VerifiedReport`.
 */
export class ParsedReport {
  readonly #bytes: Uint8Array;
  readonly #product: Product | null;
  readonly #claims: ReportClaims;

  static {
    bytesOf = (report) => report.#bytes;
    fieldsOf = (report) => report.#claims;
    productIn = (report) => report.#product;
  }

  /** As {@link parseReport}, which reads better. */
  constructor(bytes: Uint8Array) {
    this.#bytes = ownedBytes(bytes, 'a report');
    this.#product = checkReport(this.#bytes);
    this.#claims = decodeClaims(this.#bytes, this.#product);
    Object.freeze(this);
  }
}

/** A copy of what the signature is over: the first 0x2a0 bytes. */
export function signedBytes(report: ParsedReport): Uint8Array {
  return bytesOf(report).slice(0, SIGNED_SIZE);
}

/** The signature as IEEE P1363 has it: r and s, 48 bytes each, big-endian. */
export function signatureOf(report: ParsedReport): Uint8Array {
  const signature = new Uint8Array(2 * SCALAR_SIZE);
  signature.set(bigEndianScalar(report, FIELDS.SIGNATURE_R));
  signature.set(bigEndianScalar(report, FIELDS.SIGNATURE_S), SCALAR_SIZE);
  return signature;
}

function bigEndianScalar(report: ParsedReport, field: Field): Uint8Array {
  return fieldBytes(bytesOf(report), field).slice(0, SCALAR_SIZE).reverse();
}

/** Every field, for verification; frozen throughout. */
export function claimsOf(report: ParsedReport): ReportClaims {
  return fieldsOf(report);
}

/** The product that the report names; null in version 2, which has no CPUID. */
export function productOf(report: ParsedReport): Product | null {
  return productIn(report);
}

/** The TCB class of the processor that claims name; null in version 2, which has no CPUID. */
export function tcbClassOf(claims: ReportClaims): TcbClass | null {
  return claims.cpuid === null ? null : tcbClassOfProcessor(claims.cpuid);
}

/**
 * The claims of a report, for people to read.
 *
 * **Trust none of it**: anyone can write such bytes. Make no decision by it; `verify` returns the
 * claims for decisions.
 */
export function unverifiedClaims(report: ParsedReport): ReportClaims {
  return fieldsOf(report);
}
