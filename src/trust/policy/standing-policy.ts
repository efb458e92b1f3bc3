/**
 * The policy of this installation: `image-policy.yaml` in its home, else of the whole system, else
 * the built-in one, which lets everything boot. An existing policy that cannot be used refuses
 * everything: the next one never takes its place.
 *
 * @module
 */
import { join } from 'node:path';
import { MAX_POLICY_DOCUMENT } from '@a3s-box/policies/max-policy-document';
import type { LoadedPolicy } from '../policy.ts';
import { InvalidImagePolicy } from './invalid-image-policy.ts';
import { loadPolicy, type PolicyEnvironment } from './load-policy.ts';
import { isThere, readTrustFile } from './policy-files.ts';

const NAME = 'image-policy.yaml';
const SYSTEM_DIRECTORY = '/etc/a3s-box';

const BUILT_IN = { images: [{ pattern: '**', allowUnsigned: true }] };

export interface PolicyPlaces {
  /** `A3S_HOME`. */
  readonly home: string;
  /** Where the system has its policy. */
  readonly system?: string;
}

/**
 * Reads the policy anew.
 *
 * @throws InvalidImagePolicy for an existing file that is no policy, cannot be read, or can be
 * written by other users
 */
export async function standingPolicy(places: PolicyPlaces): Promise<LoadedPolicy> {
  const environment = policyEnvironment(places.home);
  for (const directory of [places.home, places.system ?? SYSTEM_DIRECTORY]) {
    const path = join(directory, NAME);
    if (await isThere(path)) return readFrom(path, directory, environment);
  }
  const text = JSON.stringify(BUILT_IN);
  const given = { source: 'built-in', path: undefined, text, directory: places.home } as const;
  return await loadPolicy(given, environment);
}

/** What loading a policy needs of an installation. */
export function policyEnvironment(home: string): PolicyEnvironment {
  return { tufCache: join(home, 'tuf') };
}

async function readFrom(
  path: string,
  directory: string,
  environment: PolicyEnvironment,
): Promise<LoadedPolicy> {
  let text: Buffer;
  try {
    text = await readTrustFile(path, { maxBytes: MAX_POLICY_DOCUMENT, othersMayWrite: false });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new InvalidImagePolicy(path, [{ path: '', message }], error);
  }
  return await loadPolicy({ source: 'file', path, text, directory }, environment);
}
