/**
 * The trust anchors of a verification: keys, not certificates.
 *
 * @module
 */
import type { Product } from '../report/product.ts';

/** The key of a certificate authority, pinned. */
export interface CaAnchor {
  /** Such as `ARK-Milan`. */
  readonly commonName: string;
  /** Serial number, lower-case hexadecimal as X.509 prints it, such as `010001`. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** RSA modulus of 4096 bits, big-endian, 512 bytes; the exponent is 65537. */
  readonly modulus: Uint8Array;
}

/** The authorities of one product. */
export interface ProductAnchors {
  /** Root: AMD root key. */
  readonly ark: CaAnchor;
  /** Intermediate over VCEKs: AMD SEV key. */
  readonly ask: CaAnchor;
  /** Intermediate over VLEKs. */
  readonly asvk: CaAnchor;
}

/** All trust anchors of a verification. */
export interface TrustAnchors {
  /**
   * Distinguished name of every certificate without its common name, as {@link formatName} prints
   * it.
   */
  readonly organization: string;
  readonly vcekCommonName: string;
  readonly vlekCommonName: string;
  readonly products: Readonly<Record<Product, ProductAnchors>>;
}
