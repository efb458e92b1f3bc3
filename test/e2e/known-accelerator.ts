/**
 * Shares the verdict on KVM between the homes of a test run: where `/dev/kvm` opens and no guest
 * starts, the verdict takes two probes, of 10 and 30 seconds, which each home would otherwise
 * repeat.
 *
 * @module
 */
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Actor } from './actor.ts';
import { type Installation, installForAll } from './installation.ts';
import { until } from './processes.ts';
import { installEngine, keepVerdict } from './support/engine-under-test.ts';

const VERDICT = 'accelerator.json';

/**
 * Makes the installation of a run, and has it hold the last word about KVM for all homes; see
 * `Actor`.
 */
export async function prepareRun(): Promise<Installation> {
  const installation = await installForAll();
  installEngine(installation.root);
  const known = join(installation.root, VERDICT);
  if (process.getuid?.() !== 0 || existsSync(known)) return installation;
  const root = new Actor('root', installation);
  await root.ok(['info']);
  const found = join(root.home, VERDICT);
  // Without a /dev/kvm there is nothing to find out.
  if (existsSync(found)) {
    await until('the second probe of KVM has ended', () => !isUnsure(found), 120_000);
    copyFileSync(found, known);
  }
  keepVerdict(installation.root, root.home);
  await root.leave();
  return installation;
}

function isUnsure(path: string): boolean {
  const verdict: { readonly unsure?: boolean } = JSON.parse(readFileSync(path, 'utf8'));
  return verdict.unsure === true;
}
