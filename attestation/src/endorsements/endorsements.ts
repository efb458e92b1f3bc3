/**
 * Completes evidence with the certificate and the revocation list that a verification needs.
 *
 * @module
 */
import { parseVekCertificate } from '../certificates/vek.ts';
import { AttestationError } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { parseReport } from '../report/parse.ts';
import { unverifiedClaims } from '../report/parsed-report.ts';
import { type Product, productOf } from '../report/product.ts';
import type { ReportClaims, VekKind } from '../report/report-claims.ts';
import { crlOf } from './answers.ts';
import type { KdsClient } from './kds.ts';
import type { EndorsementStore, ObtainedCrl } from './store/store.ts';
import { PRODUCTS, type VcekRequest } from './vcek-request.ts';

/** The age of a revocation list, in milliseconds, at which a newer one is requested: a day. */
export const MAX_CRL_AGE = 24 * 60 * 60 * 1000;

/**
 * The time, in milliseconds, for which an old list is used before an unreachable service is asked
 * again.
 */
const AWAY_PAUSE = 5 * 60 * 1000;

/** Where endorsements come from. */
export interface EndorsementsOptions {
  /** Read first, and filled. */
  readonly store?: EndorsementStore | undefined;
  /** Asked for endorsements that the store lacks; without it, no network is used. */
  readonly kds?: KdsClient | undefined;
}

/** How one endorsement is obtained. */
export interface ObtainOptions {
  readonly signal?: AbortSignal | undefined;
  /** The time by which lists are fresh or not; the system's where absent. */
  readonly now?: Date | undefined;
  /** {@link MAX_CRL_AGE} where absent. */
  readonly maxCrlAge?: number | undefined;
}

/** The options of a completion. */
export interface CompleteOptions extends ObtainOptions {
  /** False: no revocation list is looked for. */
  readonly revocation?: boolean | undefined;
}

/** The arguments of a verification. */
export interface CompleteEvidence {
  readonly evidence: Evidence;
  readonly crl?: Uint8Array;
  readonly crlObtainedAt?: Date;
}

/**
 * Endorsements from a store, or else from the key distribution service.
 *
 * Methods throw what {@link KdsClient} and {@link EndorsementStore} throw. Where the service cannot
 * be asked, or there is none, a damaged entry of the store is refused with `store-malformed`, and
 * `kds-unreachable` stands for one that is not there.
 */
export class Endorsements {
  readonly #store: EndorsementStore | undefined;
  readonly #kds: KdsClient | undefined;
  /** Time at which the service was last unreachable for a list, in milliseconds since 1970. */
  #away = Number.NEGATIVE_INFINITY;

  constructor({ store, kds }: EndorsementsOptions) {
    this.#store = store;
    this.#kds = kds;
  }

  /**
   * Adds what is missing of the evidence, and the revocation list.
   *
   * The report is not verified yet, and its fields only select the request: a forged report gets
   * the endorsement of another chip, under which verification fails. They become part of a URL and
   * of a file's name as hexadecimal digits and numbers of fixed sizes. A certificate that came with
   * the evidence is passed on as it is, and never kept.
   *
   * @throws AttestationError `report-…` or `product` if the report is malformed, `kds-unsupported`
   * if its certificate cannot be fetched: a VLEK's, that of a hidden chip, or that of a report of
   * version 2, which does not name its product; and `vek-…` if such a report comes with a malformed
   * certificate, or with one that no intermediate of AMD has issued.
   */
  async complete(evidence: Evidence, options: CompleteOptions = {}): Promise<CompleteEvidence> {
    const claims = unverifiedClaims(parseReport(evidence.report));
    const vek = evidence.vek ?? (await this.vcek(requestOf(claims), options));
    const complete = { ...evidence, vek };
    if (options.revocation === false) return { evidence: complete };
    const product = productIn(claims) ?? issuingProduct(vek);
    const { der, obtainedAt } = await this.crl(claims.keyInfo.signingKey, product, options);
    return { evidence: complete, crl: der, crlObtainedAt: obtainedAt };
  }

  /** DER of a VCEK certificate. */
  async vcek(request: VcekRequest, { signal }: ObtainOptions = {}): Promise<Uint8Array> {
    return this.#obtain({
      read: (store) => store.vcek(request),
      isFresh: () => true,
      fetch: async (kds) => {
        const der = await kds.vcek(request, signal);
        await this.#store?.putVcek(der);
        return der;
      },
    });
  }

  /**
   * The revocation list over intermediates of a kind.
   *
   * A stored one that is older than `maxCrlAge`, or past its next update, is replaced. If the
   * service cannot be asked it is returned all the same, with when it was obtained: verification
   * and policy decide whether it suffices. For the next five minutes, callers do not wait for the
   * service again.
   */
  async crl(
    kind: VekKind,
    product: Product,
    { signal, now = new Date(), maxCrlAge = MAX_CRL_AGE }: ObtainOptions = {},
  ): Promise<ObtainedCrl> {
    const time = now.getTime();
    return this.#obtain({
      read: (store) => store.crl(kind, product, now),
      isFresh: ({ der, obtainedAt }) =>
        Math.abs(time - this.#away) < AWAY_PAUSE ||
        (time - obtainedAt.getTime() <= maxCrlAge && time <= crlOf(der, product).nextUpdate),
      fetch: async (kds) => {
        const crl = {
          der: await this.#fetchCrl(kds, kind, product, { signal, now }),
          obtainedAt: now,
        };
        await this.#store?.putCrl(kind, product, crl, now);
        return crl;
      },
    });
  }

  async #fetchCrl(
    kds: KdsClient,
    kind: VekKind,
    product: Product,
    { signal, now }: { signal: AbortSignal | undefined; now: Date },
  ): Promise<Uint8Array> {
    try {
      return await kds.crl(kind, product, signal);
    } catch (error) {
      if (isAway(error)) this.#away = now.getTime();
      throw error;
    }
  }

  async #obtain<T>({ read, isFresh, fetch }: Source<T>): Promise<T> {
    const kept = await this.#look(read);
    if (kept.value !== undefined && isFresh(kept.value)) return kept.value;
    try {
      if (this.#kds === undefined) throw offline();
      return await fetch(this.#kds);
    } catch (error) {
      if (!isAway(error)) throw error;
      if (kept.value !== undefined) return kept.value;
      throw kept.damage ?? error;
    }
  }

  async #look<T>(read: Source<T>['read']): Promise<{ value?: T | undefined; damage?: unknown }> {
    try {
      return this.#store === undefined ? {} : { value: await read(this.#store) };
    } catch (damage) {
      if (hasCode(damage, ['store-malformed'])) return { damage };
      throw damage;
    }
  }
}

/** Where one endorsement comes from. */
interface Source<T> {
  readonly read: (store: EndorsementStore) => Promise<T | undefined>;
  readonly isFresh: (value: T) => boolean;
  readonly fetch: (kds: KdsClient) => Promise<T>;
}

function productIn({ cpuid }: ReportClaims): Product | null {
  return cpuid === null ? null : productOf(cpuid);
}

function requestOf(claims: ReportClaims): VcekRequest {
  const product = productIn(claims);
  if (claims.keyInfo.signingKey === 'VLEK') {
    throw notFetchable(
      'a VLEK signed the report',
      'Get the VLEK certificate from the cloud provider, which alone hands it out, and pass it along.',
    );
  }
  if (product === null) {
    throw notFetchable(
      'a report of version 2 does not name its product',
      'Get the VCEK certificate from the host, and pass it along.',
    );
  }
  return { product, chipId: claims.chipId, tcb: claims.reportedTcb };
}

/** For a report of version 2, the certificate names the product. */
function issuingProduct(vek: Uint8Array): Product {
  const { commonName } = parseVekCertificate(vek).issuer;
  const product = PRODUCTS.find((name) => [`SEV-${name}`, `SEV-VLEK-${name}`].includes(commonName));
  if (product !== undefined) return product;
  throw new AttestationError('vek-issuer', 'Cannot tell which product the report is of.', {
    expected: 'a certificate issued by an intermediate of AMD',
    found: commonName,
  });
}

function notFetchable(why: string, remedy: string): AttestationError {
  return new AttestationError('kds-unsupported', `Cannot fetch a certificate: ${why}.`, { remedy });
}

function offline(): AttestationError {
  return new AttestationError(
    'kds-unreachable',
    'Cannot find the endorsement: the store has none, and no key distribution service may be asked.',
    { remedy: 'Fill the store where there is a network, and import it here.' },
  );
}

/** Whether the service may answer at another time. */
function isAway(error: unknown): boolean {
  return hasCode(error, ['kds-unreachable', 'kds-rate-limited']);
}

function hasCode(error: unknown, codes: readonly string[]): boolean {
  return error instanceof AttestationError && codes.includes(error.code);
}
