/**
 * The steps of docs/confidential/broker.md and of docs/confidential/broker-operations.md, which go
 * on from there, run as they stand with the installed product.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Installation, install } from '../e2e/installation.ts';
import { blocksOf, putProgram, scriptOf, withFreePorts } from './steps.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside of the repository, where the packages resolve.
const directory = join(root, 'build/broker-example');

/** Blocks of a language in the section that a reader follows. */
function tryIt(language: string): readonly string[] {
  const text = readFileSync(join(root, 'docs/confidential/broker.md'), 'utf8');
  const [, section = ''] = text.split('\n## Try it\n');
  const [steps = ''] = section.split('\n## ');
  return blocksOf(steps, language);
}

function operations(): readonly string[] {
  return blocksOf(readFileSync(join(root, 'docs/confidential/broker-operations.md'), 'utf8'), 'sh');
}

/** Only what hangs takes so long: the processor's keys are made, which takes half a minute. */
const LONGEST = 400_000;

let installation: Installation;
beforeAll(async () => {
  installation = await install();
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'bin'), { recursive: true });
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  return installation.remove();
});

it(
  'docs/confidential/broker.md releases a secret to a simulated guest, refuses it after a revocation, and survives the loss of its host',
  async () => {
    putProgram(join(directory, 'bin'), installation.cli);
    const [guest = '', ...others] = tryIt('ts');
    expect(others).toEqual([]);
    writeFileSync(join(directory, 'guest.mts'), guest);
    const all = [...tryIt('sh'), 'echo ROTATION AND RECOVERY', ...operations()];
    const steps = await withFreePorts(scriptOf(all));
    const PATH = `${join(directory, 'bin')}:${process.env['PATH']}`;
    const env = { ...process.env, PATH, TSX_DISABLE_CACHE: '1' };
    const { status, stdout, stderr } = spawnSync('bash', ['-c', steps], {
      ...{ cwd: directory, env },
      encoding: 'utf8',
      timeout: LONGEST,
    });
    expect({ status, stderr }, stdout).toEqual({
      status: 0,
      // The one broker that does not start.
      stderr: expect.stringMatching(/^a3s-box: Cannot open the audit log: .*\(audit-broken\)\n/),
    });
    const [first = '', then = ''] = stdout.split('ROTATION AND RECOVERY\n');
    expect(first).toContain('\nhunter2\n');
    expect(first).toContain('\n401 kbs-evidence\n');
    expect(first).toContain('"action": "resource-released"');
    expect(first).toMatch(/\n(\d+) entries, \1 of them signed: good\n$/);
    // After the rotation of the secret, of the root key, and after the recovery.
    expect(then.match(/^hunter3$/gm)).toHaveLength(3);
    expect(then).toContain('\nepoch 2\n');
    expect(then).toMatch(/\n(\d+) entries, \1 of them signed: good\n/);
    expect(then).toMatch(/\n401 kbs-evidence\n1\n$/);
  },
  LONGEST,
);
