/**
 * A client of AMD's key distribution service: its requests, and the checks of its answers.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { Product } from '../report/product.ts';
import type { VekKind } from '../report/report-claims.ts';
import { checkVcek, crlOf, describeVcek, MAX_CERTIFICATE_BYTES, MAX_CRL_BYTES } from './answers.ts';
import { chainOf } from './chain.ts';
import { type Clock, SYSTEM_CLOCK } from './transport/clock.ts';
import { type Fetch, httpsFetch } from './transport/fetch.ts';
import { KDS_LIMITS, type KdsLimits, KdsTransport } from './transport/transport.ts';
import { certChainUrl, crlUrl, KDS_URL, mirrorUrl, vcekUrl } from './urls.ts';
import { type VcekRequest, vcekRequest } from './vcek-request.ts';

/** How the service is reached. */
export interface KdsOptions {
  /** A mirror, or a server of a test: `https:`, or `http:` on a loopback address. */
  readonly baseUrl?: string | undefined;
  /** {@link httpsFetch} where absent. */
  readonly fetch?: Fetch | undefined;
  readonly clock?: Clock | undefined;
  /** Over {@link KDS_LIMITS}. */
  readonly limits?: Partial<KdsLimits> | undefined;
}

/**
 * A client of the key distribution service, which keeps to its rate limit.
 *
 * One client for one process: its requests for VCEKs are spaced, equal requests at one time are
 * one, and a 429 makes all of them wait. Answers are checked to match the request, but no signature
 * is: their users verify them.
 *
 * Every method throws AttestationError `kds-unreachable` if there was no answer in time,
 * `kds-rate-limited` with the time to try again if its turn would come too late, `kds-not-found`
 * for a 404, and `kds-response` for any other answer; and the signal's reason once it aborts.
 */
export class KdsClient {
  readonly #base: string;
  readonly #transport: KdsTransport;

  /** @throws RangeError if `baseUrl` is not of the form that {@link KdsOptions} says. */
  constructor({
    baseUrl = KDS_URL,
    fetch = httpsFetch,
    clock = SYSTEM_CLOCK,
    limits,
  }: KdsOptions = {}) {
    this.#base = mirrorUrl(baseUrl);
    this.#transport = new KdsTransport(fetch, clock, { ...KDS_LIMITS, ...limits });
  }

  /**
   * DER of the VCEK certificate of a chip at a TCB.
   *
   * @throws RangeError or AttestationError `kds-unsupported` as {@link vcekRequest} does.
   */
  async vcek(request: VcekRequest, signal: AbortSignal = never()): Promise<Uint8Array> {
    const wanted = vcekRequest(request);
    const der = await this.#transport.get(
      {
        url: vcekUrl(wanted, this.#base),
        maxBytes: MAX_CERTIFICATE_BYTES,
        paced: true,
        notFound: {
          message: 'Cannot find the VCEK: the key distribution service does not know it.',
          found: describeVcek(wanted),
          remedy:
            'Check product, chip id and TCB: it must be the reported TCB, and Turin takes the first 8 bytes of the chip id.',
        },
      },
      signal,
    );
    asked(() => checkVcek(der, wanted));
    return der;
  }

  /** DER of the intermediate over keys of this kind, then of the root. */
  async chain(
    kind: VekKind,
    product: Product,
    signal: AbortSignal = never(),
  ): Promise<readonly Uint8Array[]> {
    const url = certChainUrl(kind, product, this.#base);
    const pem = await this.#published(url, MAX_CERTIFICATE_BYTES, signal);
    return asked(() => chainOf(pem, kind, product));
  }

  /** DER of the revocation list over intermediates of this kind. */
  async crl(kind: VekKind, product: Product, signal: AbortSignal = never()): Promise<Uint8Array> {
    const url = crlUrl(kind, product, this.#base);
    const der = await this.#published(url, MAX_CRL_BYTES, signal);
    asked(() => crlOf(der, product));
    return der;
  }

  #published(url: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const notFound = {
      message: 'Cannot find what every product has: the key distribution service does not know it.',
      found: url,
      remedy: 'Check the base URL, if it is that of a mirror.',
    };
    return this.#transport.get({ url, maxBytes, paced: false, notFound }, signal);
  }
}

function never(): AbortSignal {
  return new AbortController().signal;
}

/** Turns any fault of an answer into `kds-response`. */
function asked<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw notAsked(error);
  }
}

function notAsked(cause: unknown): AttestationError {
  const { expected, found } = cause as AttestationError;
  return new AttestationError(
    'kds-response',
    'Cannot use the answer of the key distribution service: it is not what was asked for.',
    { expected, found, cause },
  );
}
