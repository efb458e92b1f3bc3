/** The applications of docs/boxes/compose.md, run as they stand with the installed product. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blocksOf, putProgram, withFreePorts } from '../../docs/steps.ts';
import { Actor, finish } from '../../e2e/actor.ts';
import { type Installation, install } from '../../e2e/installation.ts';
import { scaled } from '../../e2e/time-scale.ts';
import { dockerArchive } from '../../images/build-image.ts';
import { composeImages } from '../../images/compose-images.ts';

/** Two of them build an image, for which a builder starts. */
const LONGEST = scaled(900_000);
const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/boxes/compose.md'), 'utf8');
const [, section = ''] = PAGE.split('\n## Three applications\n');
const [applications = ''] = section.split('\n## ');
const [visits = '', signatures = '', development = '', ...others] = blocksOf(applications, 'sh');

let installation: Installation;
let actor: Actor;
beforeAll(async () => {
  expect(others).toEqual([]);
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  mkdirSync(join(actor.directory, 'bin'));
  putProgram(join(actor.directory, 'bin'), installation.cli);
  for (const image of await composeImages()) {
    const archive = join(actor.directory, 'image.tar');
    writeFileSync(archive, dockerArchive([image]));
    await actor.ok(['load', '--quiet', '--input', archive], { deadlineMs: LONGEST });
    rmSync(archive);
  }
}, LONGEST);
afterAll(async () => {
  await actor.run(['builder', 'rm', '--force', 'default']);
  await actor.leave();
  expect(actor.remains()).toEqual([]);
  installation.remove();
}, LONGEST);

/** The output of the steps, which end at the first that fails. */
async function follow(steps: string): Promise<string> {
  const script = await withFreePorts(
    `set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n${steps}`,
  );
  const [shell, ...rest] = actor.program('bash', ['-c', script]);
  const PATH = `${join(actor.directory, 'bin')}:${actor.env['PATH']}`;
  const child = spawn(shell, rest, { cwd: actor.directory, env: { ...actor.env, PATH } });
  const { code, stdout, stderr } = await finish(child, { deadlineMs: LONGEST });
  expect({ code }, stdout + stderr).toEqual({ code: 0 });
  return stdout;
}

/** What is left of applications, beside the builder. */
async function left(): Promise<readonly string[]> {
  const lists = await Promise.all([
    actor.ok(['ps', '--all', '--format', '{{.Names}}']),
    actor.ok(['volume', 'ls', '--format', '{{.Name}}']),
  ]);
  return lists.flatMap((text) => text.split('\n')).filter((name) => !/^$|^a3s-builder-/.test(name));
}

it(
  'docs/boxes/compose.md runs web, PostgreSQL and redis, and keeps rows while the application is down',
  async () => {
    const visit = /^\d+ visits, \d+ since the start$/gm;
    expect((await follow(visits)).match(visit)).toEqual([
      ...['1 visits, 1 since the start', '2 visits, 2 since the start'],
      '3 visits, 1 since the start',
    ]);
    expect(await left()).toEqual([]);
  },
  LONGEST,
);

it(
  'docs/boxes/compose.md injects a key into a confidential API, which signs for a plain web tier',
  async () => {
    const output = await follow(signatures);
    expect(output).toMatch(/^api +SIMULATED$/m);
    expect(output).toMatch(/^api +signatures-api-1 +accepted$/m);
    const [, page, openssl] = /^signed: ([0-9a-f]{64})\n.*= ([0-9a-f]{64})$/m.exec(output) ?? [];
    expect(page).toBe(openssl);
    expect(page).toBeDefined();
    expect(await left()).toEqual([]);
  },
  LONGEST,
);

it(
  'docs/boxes/compose.md shows changed pages, restarts a changed program, and builds a changed image anew',
  async () => {
    const output = await follow(development);
    expect(output).toMatch(/as it was built\n[\s\S]*as it was changed\n[\s\S]*serve\.py/);
    expect(output).toMatch(/as it was built again\n/);
    expect(await left()).toEqual([]);
  },
  LONGEST,
);
