/**
 * Verification of an endorsement key certificate by itself, before it is kept.
 *
 * @module
 */
import { parseVek, type Vek } from '../certificates/vek.ts';
import { AttestationError } from '../errors.ts';
import type { Product } from '../report/product.ts';
import type { Tcb } from '../report/tcb.ts';
import { AMD_ANCHORS } from '../roots/amd.ts';
import type { CaAnchor } from '../roots/anchors.ts';
import { answerNow } from './node-signatures.ts';
import { bytes } from './options.ts';
import type { Verification } from './signature.ts';
import { checkValidity, timestamp } from './validity.ts';

/** What a certificate is of that a pinned intermediate of AMD signed, and that is valid. */
export interface VerifiedVek {
  readonly kind: 'VCEK' | 'VLEK';
  /** That of the intermediate. */
  readonly product: Product;
  /** The TCB that the key stands for. */
  readonly tcb: Tcb;
  /** Of a VCEK: 64 bytes, on Turin 8, in hexadecimal. */
  readonly hwid: string | null;
  /** Of a VLEK. */
  readonly cspId: string | null;
  /** RFC 3339. */
  readonly notBefore: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

/**
 * Verifies the certificate (DER) of an endorsement key against AMD's pinned intermediates.
 *
 * Whether it endorses a report, `verify` decides; so a certificate that passes here is no reason to
 * trust anything.
 *
 * @throws AttestationError with one of the codes `vek-encoding`, `vek-algorithm`, `vek-public-key`,
 * `vek-extensions`, `vek-issuer`, `vek-signature` and `vek-validity`.
 */
export function verifyVek(der: Uint8Array, now: Date): VerifiedVek {
  const vek = parseVek(bytes('der', der));
  const { product, issuer } = issuerOf(vek);
  answerNow(signedBy(vek, issuer));
  const { kind, tcb, hwid, cspId, notBefore, notAfter } = vek;
  const span = { from: notBefore, to: notAfter };
  checkValidity('vek-validity', `the ${kind} certificate`, span, now.getTime());
  return {
    kind,
    product,
    tcb,
    hwid,
    cspId,
    notBefore: timestamp(notBefore),
    notAfter: timestamp(notAfter),
  };
}

const PRODUCTS: readonly Product[] = ['Milan', 'Genoa', 'Turin'];

function issuerOf({ kind, issuer }: Vek): { readonly product: Product; readonly issuer: CaAnchor } {
  const { organization, products } = AMD_ANCHORS;
  const known = PRODUCTS.map((product) => ({
    product,
    issuer: kind === 'VCEK' ? products[product].ask : products[product].asvk,
  }));
  const name = ({ commonName }: CaAnchor): string => `${organization}, CN=${commonName}`;
  const found = known.find((each) => name(each.issuer) === issuer.text);
  if (found !== undefined) return found;
  throw new AttestationError(
    'vek-issuer',
    `Cannot trust the ${kind} certificate: no intermediate of AMD issues it.`,
    { expected: known.map((each) => name(each.issuer)).join(' or '), found: issuer.text },
  );
}

function* signedBy({ kind, tbs: signed, signature }: Vek, issuer: CaAnchor): Verification<void> {
  if (yield { algorithm: 'rsa-pss-sha384', key: issuer, signed, signature }) return;
  throw new AttestationError(
    'vek-signature',
    `Cannot trust the ${kind} certificate: the pinned ${issuer.commonName} did not sign it.`,
  );
}
