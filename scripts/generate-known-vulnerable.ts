/**
 * Writes the module of what is known to be vulnerable out of `policies/defaults/known-vulnerable.json`: programs
 * import the list, and browsers read no files.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseKnownVulnerable } from '@a3s-box/policies';

const SOURCE = 'policies/defaults/known-vulnerable.json';
const TARGET = 'policies/src/known-vulnerable-data.ts';

const list = parseKnownVulnerable(JSON.parse(readFileSync(SOURCE, 'utf8')));
writeFileSync(
  TARGET,
  `/**
 * Made by \`scripts/generate-known-vulnerable.ts\` of \`defaults/known-vulnerable.json\`: change that.
 *
 * @module
 */
import type { KnownVulnerableList } from './known-vulnerable-entry.ts';

export const KNOWN_VULNERABLE_DATA: KnownVulnerableList = ${JSON.stringify(list)};
`,
);
const { status } = spawnSync('node_modules/.bin/biome', ['check', '--write', TARGET], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
