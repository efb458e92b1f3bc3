/**
 * Fetches endorsements and keeps them once they are verified.
 *
 * @module
 */
import { InputError } from '../../../files/input-error.ts';
import { type Library, refusingLater } from '../load-library.ts';
import type { Product, VcekRequest } from './wanted-vcek.ts';

type Store = InstanceType<Library['EndorsementStore']>;
type Client = InstanceType<Library['KdsClient']>;
type VekKind = Parameters<Client['crl']>[0];

export interface FetchedVcek extends ReturnType<Library['verifyVek']> {
  /** `cache`: it was in the cache already. */
  readonly source: 'kds' | 'cache';
}

export interface FetchedCrl extends ReturnType<Library['verifyCrl']> {
  /** The keys whose issuers the list covers. */
  readonly kind: VekKind;
  readonly product: Product;
}

export interface Fetched {
  readonly vceks: readonly FetchedVcek[];
  readonly crls: readonly FetchedCrl[];
}

/** Every method throws InputError for a document that could not be fetched or is not genuine. */
export class Fetcher {
  readonly #library: Library;
  readonly #store: Store;
  readonly #kds: Client;
  readonly #now: Date;
  readonly #signal: AbortSignal;
  readonly #timeout: number;

  /** @param timeout milliseconds for all requests together */
  constructor(library: Library, store: Store, kds: Client, now: Date, timeout: number) {
    this.#library = library;
    this.#store = store;
    this.#kds = kds;
    this.#now = now;
    this.#timeout = timeout;
    this.#signal = AbortSignal.timeout(timeout);
  }

  /** A certificate is requested once: the service limits requests strictly. */
  vcek(wanted: VcekRequest): Promise<FetchedVcek> {
    const what = `the certificate of the ${wanted.product} chip`;
    return this.#getting(what, async () => {
      const kept = await this.#keptVcek(wanted);
      if (kept !== undefined) return { ...kept, source: 'cache' };
      const der = await this.#kds.vcek(wanted, this.#signal);
      const vcek = this.#library.verifyVek(der, this.#now);
      await this.#store.putVcek(der);
      return { ...vcek, source: 'kds' };
    });
  }

  /** A revocation list is always fetched again. */
  crl(kind: VekKind, product: Product): Promise<FetchedCrl> {
    const what = `the revocation list of ${product} for ${kind}s`;
    return this.#getting(what, async () => {
      const der = await this.#kds.crl(kind, product, this.#signal);
      const list = this.#library.verifyCrl(der, product, this.#now);
      await this.#store.putCrl(kind, product, { der, obtainedAt: this.#now }, this.#now);
      return { kind, product, ...list };
    });
  }

  /** Undefined for one that is missing or no longer valid. */
  async #keptVcek(wanted: VcekRequest): Promise<ReturnType<Library['verifyVek']> | undefined> {
    try {
      const der = await this.#store.vcek(wanted);
      return der === undefined ? undefined : this.#library.verifyVek(der, this.#now);
    } catch (error) {
      const replaced = error instanceof this.#library.AttestationError && !isFinal(error.code);
      if (replaced) return undefined;
      throw error;
    }
  }

  async #getting<T>(what: string, get: () => Promise<T>): Promise<T> {
    try {
      return await refusingLater(this.#library, what, get);
    } catch (error) {
      if (error !== this.#signal.reason) throw error;
      throw new InputError('kds-unreachable', `${what}: it took longer than ${this.#timeout} ms`, {
        remedy: 'Try again, or allow more time with --timeout.',
      });
    }
  }
}

/** Codes of failures that another fetch does not fix. */
function isFinal(code: string): boolean {
  return code === 'store-unusable' || code === 'kds-unsupported';
}
