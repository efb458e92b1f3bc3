/**
 * The logic of every verification: the order of its checks.
 *
 * The order is that of {@link VERIFY_CHECKS}; each function here is a run of neighbouring checks.
 *
 * @module
 */
import type { Crl } from '../certificates/crl.ts';
import { parseVekCertificate, readVek, type Vek } from '../certificates/vek.ts';
import { AttestationError } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { ownedBytes } from '../owned-bytes.ts';
import { parseReport } from '../report/parse.ts';
import {
  claimsOf,
  type ParsedReport,
  productOf,
  signatureOf,
  signedBytes,
} from '../report/parsed-report.ts';
import type { Product } from '../report/product.ts';
import type { ReportClaims } from '../report/report-claims.ts';
import { formatTcb, tcbEquals } from '../report/tcb.ts';
import type { CaAnchor, ProductAnchors, TrustAnchors } from '../roots/anchors.ts';
import { authoritiesVerification, MAX_AUTHORITIES } from './authorities.ts';
import { checkNotRevoked, crlVerification } from './check-crl.ts';
import type { FixedOptions } from './options.ts';
import type { Verification } from './signature.ts';
import type { Trace } from './trace.ts';
import { checkValidity } from './validity.ts';
import { type Claims, verifiedClaims } from './verified-claims.ts';

/** Verifies evidence against anchors and returns the claims, or throws the refusal. */
export function* verification(
  evidence: FixedEvidence,
  anchors: TrustAnchors,
  options: FixedOptions,
  trace: Trace,
): Verification<Claims> {
  const report = parseReport(evidence.report);
  if (productOf(report) === null) trace.skip('product');
  const claims = claimsOf(report);
  const vek = parseVek(evidence.vek, anchors);
  checkKind(vek, claims, anchors);
  const product = checkProduct(vek, report, options);
  const authorities = anchors.products[product];
  const issuer = checkIssuer(vek, authorities, anchors);
  yield* checkChain(vek, issuer, authorities, evidence.authorities, options, trace);
  const crl = yield* checkRevocation(authorities, issuer, anchors, options, trace);
  checkTcb(vek, claims);
  const chipMasked = checkChip(vek, claims, trace);
  yield* checkReportSignature(vek, report);
  return verifiedClaims({ claims, product, chipMasked, vek, crl, options });
}

/** An endorsement key, and the product whose intermediate signed its certificate. */
export interface SignedVek {
  readonly vek: Vek;
  readonly product: Product;
}

/**
 * Checks `vek-encoding` to `vek-signature` of a certificate alone; its issuer names the product.
 */
export function* vekVerification(der: Uint8Array, anchors: TrustAnchors): Verification<SignedVek> {
  const vek = parseVek(der, anchors);
  const product = PRODUCTS.find(
    (name) => issuerName(issuerOf(vek, anchors.products[name]), anchors) === vek.issuer.text,
  );
  if (product === undefined) {
    throw new AttestationError(
      'vek-issuer',
      'Cannot trust the certificate: no pinned intermediate is its issuer.',
      { found: vek.issuer.text },
    );
  }
  yield* checkVekSignature(vek, issuerOf(vek, anchors.products[product]));
  return { vek, product };
}

/** A verification's own copy of the evidence, which the caller cannot change while it runs. */
export interface FixedEvidence {
  readonly report: Uint8Array;
  readonly vek: Uint8Array | undefined;
  readonly authorities: readonly Uint8Array[];
}

/**
 * Copies evidence, but no more authorities than are looked at. Throws `TypeError` at other types.
 */
export function fixEvidence({ report, vek, authorities = [] }: Evidence): FixedEvidence {
  return {
    report: ownedBytes(report, 'report'),
    vek: vek === undefined ? undefined : ownedBytes(vek, 'vek'),
    authorities: authorities
      .slice(0, MAX_AUTHORITIES + 1)
      .map((der) => ownedBytes(der, 'an authority')),
  };
}

/** Checks `vek-supplied` to `vek-extensions`. */
function parseVek(der: Uint8Array | undefined, anchors: TrustAnchors): Vek {
  if (der === undefined) {
    throw new AttestationError(
      'vek-supplied',
      'Cannot verify the report: the certificate of the key that signed it is missing.',
      {
        remedy: 'Hand over the VCEK or VLEK certificate; `a3s-box attest fetch-certs` gets a VCEK.',
      },
    );
  }
  const certificate = parseVekCertificate(der);
  const { vcekCommonName, vlekCommonName, organization } = anchors;
  const subjects = [vcekCommonName, vlekCommonName].map((name) => `${organization}, CN=${name}`);
  if (!subjects.includes(certificate.subject.text)) {
    throw new AttestationError(
      'vek-subject',
      'Cannot use the certificate: its subject is not that of an endorsement key.',
      { expected: subjects.join(' or '), found: certificate.subject.text },
    );
  }
  return readVek(certificate);
}

/** Check `vek-kind`: certificate, its name and the report agree on the kind of key. */
function checkKind(vek: Vek, { keyInfo }: ReportClaims, anchors: TrustAnchors): void {
  const named = vek.subject.commonName === anchors.vcekCommonName ? 'VCEK' : 'VLEK';
  if (vek.kind === named && vek.kind === keyInfo.signingKey) return;
  throw new AttestationError(
    'vek-kind',
    'Cannot verify the report with this certificate: another kind of key signed it.',
    {
      expected: `the certificate of a ${keyInfo.signingKey}`,
      found: `a certificate with the extensions of a ${vek.kind}, named ${vek.subject.commonName}`,
    },
  );
}

/**
 * Check `vek-product`.
 *
 * A report of version 2 does not name its product, so its certificate does. That only selects the
 * pinned root, under which the chain has to hold.
 */
function checkProduct(vek: Vek, report: ParsedReport, options: FixedOptions): Product {
  const reported = productOf(report);
  const named = PRODUCTS.find(
    (name) => vek.productName === name || vek.productName.startsWith(`${name}-`),
  );
  const product = reported ?? named;
  const fits = named === product || options.allowProductNameMismatch;
  if (product !== undefined && fits && hasLayoutOf(product, vek, reported)) return product;
  throw new AttestationError(
    'vek-product',
    'Cannot use the certificate: it is of another product than the report.',
    {
      expected: reported ?? 'Milan or Genoa, as reports of version 2 come from',
      found: `${vek.productName}, structure version ${vek.structVersion}`,
      remedy: productRemedy(reported),
    },
  );
}

function productRemedy(reported: Product | null): string {
  const fetch =
    'Get the certificate of this very chip: `a3s-box attest fetch-certs --report FILE`.';
  if (reported !== 'Genoa') return fetch;
  return `${fetch} Some of Genoa are known to name another product; allowProductNameMismatch (--allow-product-name-mismatch) is for them.`;
}

const PRODUCTS: readonly Product[] = ['Milan', 'Genoa', 'Turin'];

/** Turin counts its TCB otherwise, and has no report of version 2. */
function hasLayoutOf(product: Product, vek: Vek, reported: Product | null): boolean {
  if (product === 'Turin') return vek.structVersion === 1 && reported !== null;
  return vek.structVersion === 0;
}

/** Check `vek-issuer`: gives the intermediate that must have signed. */
function checkIssuer(vek: Vek, authorities: ProductAnchors, anchors: TrustAnchors): CaAnchor {
  const issuer = issuerOf(vek, authorities);
  const expected = issuerName(issuer, anchors);
  if (vek.issuer.text === expected) return issuer;
  throw new AttestationError(
    'vek-issuer',
    'Cannot use the certificate: it names another issuer than the intermediate of its product.',
    { expected, found: vek.issuer.text },
  );
}

function issuerOf({ kind }: Vek, { ask, asvk }: ProductAnchors): CaAnchor {
  return kind === 'VCEK' ? ask : asvk;
}

function issuerName({ commonName }: CaAnchor, { organization }: TrustAnchors): string {
  return `${organization}, CN=${commonName}`;
}

/** Checks `ca-encoding` to `ca-validity`. */
function* checkChain(
  vek: Vek,
  issuer: CaAnchor,
  authorities: ProductAnchors,
  supplied: readonly Uint8Array[],
  { now }: FixedOptions,
  trace: Trace,
): Verification<void> {
  if (supplied.length === 0) trace.skip('ca-encoding', 'ca-pinned', 'ca-signature');
  yield* authoritiesVerification(supplied, authorities);
  yield* checkVekSignature(vek, issuer);
  const span = { from: vek.notBefore, to: vek.notAfter };
  checkValidity('vek-validity', `the ${vek.kind} certificate`, span, now);
  for (const { commonName, notBefore, notAfter } of [issuer, authorities.ark]) {
    checkValidity('ca-validity', commonName, { from: notBefore, to: notAfter }, now);
  }
}

/** Check `vek-signature`. */
function* checkVekSignature(vek: Vek, issuer: CaAnchor): Verification<void> {
  const { tbs: signed, signature } = vek;
  if (yield { algorithm: 'rsa-pss-sha384', key: issuer, signed, signature }) return;
  throw new AttestationError(
    'vek-signature',
    `Cannot trust the certificate: the pinned ${issuer.commonName} did not sign it.`,
  );
}

/** Checks `crl-encoding` to `revocation`, where there is a list. */
function* checkRevocation(
  authorities: ProductAnchors,
  issuer: CaAnchor,
  { organization }: TrustAnchors,
  { crl: der, now }: FixedOptions,
  trace: Trace,
): Verification<Crl | null> {
  if (der === undefined) {
    trace.skip('crl-encoding', 'crl-issuer', 'crl-signature', 'crl-validity', 'revocation');
    return null;
  }
  const crl = yield* crlVerification(der, authorities.ark, organization, now);
  checkNotRevoked(crl, [issuer, authorities.ark]);
  return crl;
}

/** Check `vek-tcb`: every component equal, since each TCB has a key of its own. */
function checkTcb(vek: Vek, { reportedTcb }: ReportClaims): void {
  if (tcbEquals(vek.tcb, reportedTcb)) return;
  throw new AttestationError(
    'vek-tcb',
    'Cannot verify the report with this certificate: it endorses the key of another TCB.',
    { expected: formatTcb(reportedTcb), found: formatTcb(vek.tcb) },
  );
}

/**
 * Check `vek-chip`: gives whether the report hides its chip.
 *
 * A VLEK stands for a cloud provider and names no chip. A chip may be hidden only where the report
 * admits it, and then the policy has the last word.
 */
function checkChip(vek: Vek, { chipId, keyInfo }: ReportClaims, trace: Trace): boolean {
  const masked = /^0*$/.test(chipId);
  if (vek.hwid === null || (masked && keyInfo.maskChipKey)) {
    trace.skip('vek-chip');
    return masked;
  }
  const expected = vek.hwid.padEnd(chipId.length, '0');
  if (chipId === expected && !masked) return false;
  throw new AttestationError(
    'vek-chip',
    'Cannot verify the report with this certificate: it endorses the key of another chip.',
    { expected, found: chipId },
  );
}

/** Check `report-signature`. */
function* checkReportSignature(vek: Vek, report: ParsedReport): Verification<void> {
  const question = {
    algorithm: 'ecdsa-p384-sha384',
    key: vek.publicKey,
    signed: signedBytes(report),
    signature: signatureOf(report),
  } as const;
  if (yield question) return;
  throw new AttestationError(
    'report-signature',
    `Cannot trust the report: the ${vek.kind} did not sign it.`,
  );
}
