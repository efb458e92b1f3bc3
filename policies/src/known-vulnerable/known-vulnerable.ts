/**
 * What is known to be vulnerable: firmware, launch digests and processors that nobody should trust.
 *
 * The list is data of `defaults/known-vulnerable.json`, and has the day on which it was last
 * changed.
 *
 * @module
 */
import { KNOWN_VULNERABLE_DATA } from './known-vulnerable-data.ts';
import type {
  KnownVulnerable,
  KnownVulnerableList,
  VulnerableKind,
} from './known-vulnerable-entry.ts';

export type {
  KnownVulnerable,
  KnownVulnerableList,
  VulnerableKind,
} from './known-vulnerable-entry.ts';

/** The list that is shipped. */
export const KNOWN_VULNERABLE: KnownVulnerableList = {
  date: KNOWN_VULNERABLE_DATA.date,
  entries: KNOWN_VULNERABLE_DATA.groups.flatMap(({ digests, ...common }) =>
    digests.map(([kind, digest]) => ({ ...common, kind, digest })),
  ),
};

const BY_DIGEST = new Map(KNOWN_VULNERABLE.entries.map((entry) => [keyOf(entry), entry]));

function keyOf({ kind, digest }: Pick<KnownVulnerable, 'kind' | 'digest'>): string {
  return `${kind} ${digest}`;
}

/** The entry of a digest; undefined where the list does not name it. */
export function findVulnerable(kind: VulnerableKind, digest: string): KnownVulnerable | undefined {
  return BY_DIGEST.get(keyOf({ kind, digest: digest.toLowerCase() }));
}

/** CHIP_ID of each processor whose keys are out. */
export const VULNERABLE_CHIPS: readonly string[] = KNOWN_VULNERABLE.entries
  .filter(({ kind }) => kind === 'chip')
  .map(({ digest }) => digest);
