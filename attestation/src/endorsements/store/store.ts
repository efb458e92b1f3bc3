/**
 * Endorsements on disk, so that the key distribution service is asked once for each.
 *
 * ```text
 * vcek/{HWID}/bl04_tee00_snp24_ucode219[_fmc01]_vcek.der as Trustee's offline store has it
 * crl/{Product}-{vcek|vlek}-{number}.crl                   the highest number counts
 * crl/{Product}-{vcek|vlek}-{number}.json                  when it was obtained
 * ```
 *
 * Lists of other numbers lie beside each other: so a list can never replace a newer one, even if
 * several processes write at once. Names are made of validated numbers and hexadecimal digits.
 *
 * @module
 */
import { join } from 'node:path';
import type { Crl } from '../../certificates/crl.ts';
import { AttestationError } from '../../errors.ts';
import { ownedBytes } from '../../owned-bytes.ts';
import type { Product } from '../../report/product.ts';
import type { VekKind } from '../../report/report-claims.ts';
import { verifyCrl as verifyAmdCrl } from '../../verify/verify-crl.ts';
import { verifyVekSignature } from '../../verify/verify-vek.ts';
import { checkVcek, crlOf, MAX_CERTIFICATE_BYTES, MAX_CRL_BYTES, vcekOf } from '../answers.ts';
import { level } from '../urls.ts';
import { type VcekRequest, vcekRequest } from '../vcek-request.ts';
import { listDirectory, readFileBounded, writeFileDurably } from './files.ts';
import { readReceipt, writeReceipt } from './receipt.ts';

/** A revocation list, and when this party got it. */
export interface ObtainedCrl {
  readonly der: Uint8Array;
  readonly obtainedAt: Date;
}

/**
 * Throws AttestationError, or rejects with it, unless AMD's pinned root signed the list and it is
 * current.
 */
export type VerifyCrl = (crl: Uint8Array, product: Product, now: Date) => unknown;

/**
 * Throws AttestationError, or rejects with it, unless AMD's pinned intermediate signed the
 * certificate.
 */
export type VerifyVek = (der: Uint8Array) => unknown;

/** The directory of a store, and its verifiers. */
export interface StoreOptions {
  /** Made by the first `put`; only this user can read it. */
  readonly directory: string;
  /**
   * Called before a list is kept: a forged one with a high number would keep all others out.
   *
   * That of this package where absent.
   */
  readonly verifyCrl?: VerifyCrl | undefined;
  /**
   * Called before a certificate is kept: a forged one would block the genuine one.
   *
   * That of this package where absent.
   */
  readonly verifyVek?: VerifyVek | undefined;
}

const SUFFIX = '_vcek.der';
/** A directory's name; which products have how many digits does not matter here. */
export const HWID = /^(?:[0-9a-f]{16}|[0-9a-f]{128})$/;
/** cRLNumber has at most 20 octets (RFC 5280, 5.2.3), which are 49 digits. */
const CRL_NAME = /^(\w+-(?:vcek|vlek))-(0|[1-9]\d{0,48})\.crl$/;

/**
 * Endorsements in a directory, which processes may share.
 *
 * An entry is checked to match its file name, not to be genuine: its user verifies it.
 *
 * Every method throws AttestationError `store-malformed`, with the file's name, for an entry that
 * is not what its name says, and `store-unusable` where the file system refuses.
 */
export class EndorsementStore {
  readonly #directory: string;
  readonly #verifyVek: VerifyVek;
  /** As given. */
  readonly verifyCrl: VerifyCrl;

  constructor(options: StoreOptions) {
    const { directory, verifyCrl = verifyAmdCrl, verifyVek = verifyVekSignature } = options;
    this.#directory = directory;
    this.#verifyVek = verifyVek;
    this.verifyCrl = verifyCrl;
  }

  /**
   * DER of a VCEK certificate, undefined if it is not here.
   *
   * @throws RangeError or AttestationError `kds-unsupported` as {@link vcekRequest} does.
   */
  async vcek(request: VcekRequest): Promise<Uint8Array | undefined> {
    const wanted = vcekRequest(request);
    const path = this.#vcekPath(wanted);
    const der = await readFileBounded(path, MAX_CERTIFICATE_BYTES);
    if (der !== undefined) genuine(path, () => checkVcek(der, wanted));
    return der;
  }

  /**
   * Keeps a VCEK certificate under what it says it is of.
   *
   * @throws AttestationError as {@link vcekOf} and `verifyVek` do.
   */
  async putVcek(der: Uint8Array): Promise<void> {
    const bytes = ownedBytes(der, 'a certificate');
    const request = vcekOf(bytes);
    await this.#verifyVek(Uint8Array.from(bytes));
    await writeFileDurably(this.#vcekPath(request), bytes);
  }

  /** DER of every VCEK certificate. */
  async *vceks(): AsyncGenerator<Uint8Array> {
    const chips = join(this.#directory, 'vcek');
    for (const chip of await listDirectory(chips)) {
      if (!HWID.test(chip)) continue;
      for (const name of await listDirectory(join(chips, chip))) {
        if (!name.endsWith(SUFFIX)) continue;
        const path = join(chips, chip, name);
        const der = await readFileBounded(path, MAX_CERTIFICATE_BYTES);
        // Another process may have removed it meanwhile.
        if (der === undefined) continue;
        genuine(path, () => this.#checkPlace(path, der));
        yield der;
      }
    }
  }

  /**
   * The revocation list with the highest number, undefined if there is none.
   *
   * Where it is not known when it was obtained, or that would be after `now`, it counts from when
   * it was issued.
   */
  async crl(kind: VekKind, product: Product, now: Date): Promise<ObtainedCrl | undefined> {
    const number = await this.#highest(kind, product);
    if (number === undefined) return undefined;
    const path = this.#crlPath(kind, product, number);
    const der = await readFileBounded(`${path}.crl`, MAX_CRL_BYTES);
    if (der === undefined) return undefined;
    const { thisUpdate } = genuine(`${path}.crl`, () => numbered(der, product, number));
    const obtainedAt = await readReceipt(`${path}.json`, der);
    const known = obtainedAt !== undefined && obtainedAt <= now;
    return { der, obtainedAt: known ? obtainedAt : new Date(thisUpdate) };
  }

  /**
   * Keeps a revocation list.
   *
   * @throws AttestationError as `verifyCrl` does, `crl-encoding` or `crl-issuer` if it is no list
   * of the product's root, and `crl-rollback` if a newer one is here, which stays.
   */
  async putCrl(
    kind: VekKind,
    product: Product,
    { der, obtainedAt }: ObtainedCrl,
    now: Date,
  ): Promise<void> {
    const bytes = ownedBytes(der, 'a revocation list');
    const { number, thisUpdate } = crlOf(bytes, product);
    await this.verifyCrl(Uint8Array.from(bytes), product, now);
    const path = this.#crlPath(kind, product, number);
    const highest = await this.#highest(kind, product);
    if (highest !== undefined && highest > number) throw rollback(number, highest);
    const kept = await readFileBounded(`${path}.crl`, MAX_CRL_BYTES);
    if (kept !== undefined && issuedAt(kept, product) > thisUpdate) {
      throw rollback(number, number);
    }
    // The receipt first, which counts only for the list that it names.
    await writeReceipt(`${path}.json`, bytes, obtainedAt);
    await writeFileDurably(`${path}.crl`, bytes);
  }

  #vcekPath({ chipId, tcb: { fmc, bl, tee, snp, ucode } }: VcekRequest): string {
    const levels = `bl${level(bl)}_tee${level(tee)}_snp${level(snp)}_ucode${level(ucode)}`;
    const turin = fmc === undefined ? '' : `_fmc${level(fmc)}`;
    return join(this.#directory, 'vcek', chipId, `${levels}${turin}${SUFFIX}`);
  }

  #checkPlace(path: string, der: Uint8Array): void {
    const expected = this.#vcekPath(vcekOf(der));
    if (expected === path) return;
    throw new AttestationError('vek-kind', 'It is of another VCEK.', { expected, found: path });
  }

  #crlPath(kind: VekKind, product: Product, number: bigint): string {
    return join(this.#directory, 'crl', `${product}-${kind.toLowerCase()}-${number}`);
  }

  async #highest(kind: VekKind, product: Product): Promise<bigint | undefined> {
    const series = `${product}-${kind.toLowerCase()}`;
    const names = await listDirectory(join(this.#directory, 'crl'));
    const numbers = names.flatMap((name) => {
      const [, found, number] = CRL_NAME.exec(name) ?? [];
      return found === series && number !== undefined ? [BigInt(number)] : [];
    });
    return numbers.sort((one, other) => (one < other ? -1 : 1)).at(-1);
  }
}

function numbered(der: Uint8Array, product: Product, number: bigint): Crl {
  const crl = crlOf(der, product);
  if (crl.number === number) return crl;
  throw new AttestationError('crl-encoding', 'The revocation list has another number.', {
    expected: `${number}`,
    found: `${crl.number}`,
  });
}

/** Time at which a list was issued; a damaged list blocks no other. */
function issuedAt(der: Uint8Array, product: Product): number {
  try {
    return crlOf(der, product).thisUpdate;
  } catch {
    return Number.NEGATIVE_INFINITY;
  }
}

function rollback(offered: bigint, kept: bigint): AttestationError {
  return new AttestationError(
    'crl-rollback',
    'Cannot take the revocation list: a newer one was seen before.',
    {
      expected: `number ${kept} or higher, and not issued earlier`,
      found: `number ${offered}`,
      remedy: 'Find out who serves an old list; the newer one is still in use.',
    },
  );
}

/** Adds the name of the damaged file. */
function genuine<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    const { expected, found } = cause as AttestationError;
    throw new AttestationError(
      'store-malformed',
      `Cannot use ${path}: it is not what its name says.`,
      { expected, found, remedy: 'Delete the file; it will be fetched again.', cause },
    );
  }
}
