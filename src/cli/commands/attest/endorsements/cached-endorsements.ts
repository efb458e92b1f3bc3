/**
 * Endorsements in the cache of `fetch-certs`, for commands that use no network.
 *
 * @module
 */
import { join } from 'node:path';
import type { Context } from '../../../context.ts';
import { humanDuration } from '../../../output/human.ts';
import { type Library, refusingLater } from '../load-library.ts';

type Evidence = Parameters<Library['verify']>[0];
type Store = InstanceType<Library['EndorsementStore']>;

/** Codes that mean that the cache is damaged, and not that an entry is missing. */
const DAMAGE: readonly string[] = ['store-malformed', 'store-unusable'];

export async function cacheDirectory({ config }: Pick<Context, 'config'>): Promise<string> {
  const { home } = await config();
  return join(home, 'endorsements');
}

export async function openCache(
  context: Pick<Context, 'config'>,
  library: Library,
): Promise<Store> {
  return new library.EndorsementStore({ directory: await cacheDirectory(context) });
}

/** DER of the endorsement key certificate that the report needs; undefined where there is none. */
export function cachedVek(
  context: Pick<Context, 'config'>,
  library: Library,
  { report }: Evidence,
): Promise<Uint8Array | undefined> {
  return tolerating(library, async () => {
    const store = await openCache(context, library);
    const {
      cpuid,
      chipId,
      reportedTcb: tcb,
    } = library.unverifiedClaims(library.parseReport(report));
    for (const product of cpuid === null ? OF_VERSION_2 : [library.productOf(cpuid)]) {
      const found = product === null ? undefined : await store.vcek({ product, chipId, tcb });
      if (found !== undefined) return found;
    }
    return undefined;
  });
}

/** Products of reports that name none. */
const OF_VERSION_2 = ['Milan', 'Genoa'] as const;

export interface CachedCrl {
  readonly crl: Uint8Array;
  /** At most the time of the verification. */
  readonly obtainedAt: Date;
  /** Such as `the cache, 3 hours old`. */
  readonly source: string;
}

/**
 * The revocation list of the certificate's issuer; undefined where there is none.
 *
 * The cache uses this machine's clock, whatever the time of the verification. A list that was
 * fetched after that time is as fresh as possible, and so not refused for its age.
 *
 * @param at the time of the verification
 */
export async function cachedCrl(
  context: Pick<Context, 'config'>,
  library: Library,
  evidence: Evidence,
  at: Date,
): Promise<CachedCrl | undefined> {
  const endorsements = new library.Endorsements({ store: await openCache(context, library) });
  const complete = await tolerating(library, () => endorsements.complete(evidence));
  const { crl, crlObtainedAt: obtainedAt } = complete ?? {};
  if (crl === undefined || obtainedAt === undefined) return undefined;
  if (obtainedAt > at) {
    const source = `the cache, got on ${obtainedAt.toISOString()}, after the time judged by`;
    return { crl, obtainedAt: at, source };
  }
  const age = humanDuration(at.getTime() - obtainedAt.getTime()).toLowerCase();
  return { crl, obtainedAt, source: `the cache, ${age} old` };
}

/** Undefined where a field is missing, or the evidence has no key to look up. */
function tolerating<T>(library: Library, look: () => Promise<T>): Promise<T | undefined> {
  return refusingLater(library, '', async () => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof library.AttestationError) || DAMAGE.includes(error.code)) throw error;
      return undefined;
    }
  });
}
