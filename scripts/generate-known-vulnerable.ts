/**
 * Writes the module with the list of known vulnerable digests from
 * `policies/defaults/known-vulnerable.json`: programs import the list, and browsers read no files.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseKnownVulnerable } from '@a3s-box/policies';

const SOURCE = 'policies/defaults/known-vulnerable.json';
const TARGET = 'policies/src/known-vulnerable/known-vulnerable-data.ts';

const list = parseKnownVulnerable(JSON.parse(readFileSync(SOURCE, 'utf8')));

/** What the digests of one advisory have in common is written once: it counts in browsers. */
const commons = new Map<string, [kind: string, digest: string][]>();
for (const { kind, digest, subject: _, ...common } of list.entries) {
  const key = JSON.stringify(common);
  commons.set(key, [...(commons.get(key) ?? []), [kind, digest]]);
}
const groups = [...commons].map(
  ([common, digests]) => `{ ${common.slice(1, -1)}, digests: ${JSON.stringify(digests)} }`,
);

writeFileSync(
  TARGET,
  `/**
 * Made by \`scripts/generate-known-vulnerable.ts\` of \`defaults/known-vulnerable.json\`: change that.
 *
 * @module
 */
import type { KnownVulnerableData } from './known-vulnerable-entry.ts';

export const KNOWN_VULNERABLE_DATA: KnownVulnerableData = {
  date: ${JSON.stringify(list.date)},
  groups: [${groups.join(', ')}],
};
`,
);
const { status } = spawnSync('node_modules/.bin/biome', ['check', '--write', TARGET], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
