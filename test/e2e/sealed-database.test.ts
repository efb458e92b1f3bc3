/**
 * The steps of docs/confidential/sealed-database.md, run as they stand with the installed product.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blocksOf, putProgram, scriptOf, withFreePorts } from '../docs/steps.ts';
import { buildImage, dockerArchive } from '../images/build-image.ts';
import { databaseImage } from '../images/database-image.ts';
import { ACTORS, Actor, finish } from './actor.ts';
import { type Installation, install } from './installation.ts';
import { scaled } from './time-scale.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside of the repository, where the packages resolve.
const directory = join(root, 'build/database-example');
/** Four starts of a database, each emulated. */
const LONGEST = scaled(600_000);

let installation: Installation;
let actor: Actor;
beforeAll(async () => {
  installation = await install();
  // Who may read the repository.
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'bin'), { recursive: true });
  for (const version of ['1', '2']) {
    const image = await databaseImage(`localhost/db:${version}`);
    const config = { ...image.config, Labels: { version } };
    const archive = join(directory, 'image.tar');
    writeFileSync(archive, dockerArchive([buildImage({ ...image, config })]));
    await actor.ok(['load', '--quiet', '--input', archive], { deadlineMs: LONGEST });
    rmSync(archive);
  }
}, LONGEST);
afterAll(async () => {
  await actor?.leave();
  rmSync(directory, { recursive: true, force: true });
  installation?.remove();
});

it(
  'docs/confidential/sealed-database.md keeps a database over an upgrade of its image and the loss of its host',
  async () => {
    const text = readFileSync(join(root, 'docs/confidential/sealed-database.md'), 'utf8');
    const [roots = '', party = '', ...others] = blocksOf(text, 'ts');
    expect(others).toEqual([]);
    writeFileSync(join(directory, 'roots.mts'), roots);
    writeFileSync(join(directory, 'party.mts'), party);
    putProgram(join(directory, 'bin'), installation.cli);
    const steps = blocksOf(text, 'sh').map((block) => `echo "STEP"\n${block}`);
    const [shell, ...rest] = actor.program('bash', ['-c', await withFreePorts(scriptOf(steps))]);
    const PATH = `${join(directory, 'bin')}:${actor.env['PATH']}`;
    const env = { ...actor.env, PATH, TSX_DISABLE_CACHE: '1' };
    const script = spawn(shell, rest, { cwd: directory, env });
    const { code, stdout, stderr } = await finish(script, { deadlineMs: LONGEST });
    const [, , , verified, upgraded, , refused, recovered] = stdout.split('STEP\n');
    expect({ code, verified }, stdout + stderr).toEqual({
      code: 0,
      verified:
        'verified: db has default/keys/db, counted at default/counters/db, simulated: true\n',
    });
    expect(upgraded).toMatch(/\nrefused\n[\s\S]*\nof the first image\n$/);
    expect(refused).toMatch(/\n125\n[^\n]*older than the broker[^\n]*\n$/);
    expect(recovered).toMatch(/\nof the first image\n[\s\S]*"generation": \d+/);
    expect(recovered).not.toContain('of Tuesday');
    expect(stderr).toContain('(volume-key-refused)');
  },
  LONGEST,
);
