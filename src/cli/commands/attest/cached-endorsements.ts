/**
 * Endorsements that `fetch-certs` has kept, for commands that touch no network.
 *
 * @module
 */
import { join } from 'node:path';
import type { Context } from '../../context.ts';
import { humanDuration } from '../../output/human.ts';
import { type Library, refusingLater } from './load-library.ts';

type Evidence = Parameters<Library['verify']>[0];
type Store = InstanceType<Library['EndorsementStore']>;
type Complete = Awaited<ReturnType<InstanceType<Library['Endorsements']>['complete']>>;

/** Codes that say that the cache is damaged, and not that it lacks something. */
const DAMAGE: readonly string[] = ['store-malformed', 'store-unusable'];

export function cacheDirectory({ config }: Pick<Context, 'config'>): string {
  return join(config.home, 'endorsements');
}

export function openCache(context: Pick<Context, 'config'>, library: Library): Store {
  return new library.EndorsementStore({ directory: cacheDirectory(context) });
}

/** DER of the endorsement key certificate that the report asks for; undefined where there is none. */
export async function cachedVek(
  context: Pick<Context, 'config'>,
  library: Library,
  evidence: Evidence,
): Promise<Uint8Array | undefined> {
  const complete = await completed(context, library, evidence, { revocation: false });
  return complete?.evidence.vek;
}

export interface CachedCrl {
  readonly crl: Uint8Array;
  readonly obtainedAt: Date;
  /** Such as `the cache, 3 hours old`. */
  readonly source: string;
}

/** The revocation list over who issued the certificate; undefined where there is none. */
export async function cachedCrl(
  context: Pick<Context, 'config'>,
  library: Library,
  evidence: Evidence,
  now: Date,
): Promise<CachedCrl | undefined> {
  const { crl, crlObtainedAt: obtainedAt } =
    (await completed(context, library, evidence, { now })) ?? {};
  if (crl === undefined || obtainedAt === undefined) return undefined;
  const age = humanDuration(now.getTime() - obtainedAt.getTime()).toLowerCase();
  return { crl, obtainedAt, source: `the cache, ${age} old` };
}

/** Undefined where something is missing, or the evidence is not such that it can be looked up. */
async function completed(
  context: Pick<Context, 'config'>,
  library: Library,
  evidence: Evidence,
  options: { revocation?: boolean; now?: Date },
): Promise<Complete | undefined> {
  const endorsements = new library.Endorsements({ store: openCache(context, library) });
  return refusingLater(library, 'the cache of endorsements', async () => {
    try {
      return await endorsements.complete(evidence, options);
    } catch (error) {
      if (!(error instanceof library.AttestationError) || DAMAGE.includes(error.code)) throw error;
      return undefined;
    }
  });
}
