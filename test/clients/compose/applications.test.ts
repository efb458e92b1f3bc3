/**
 * The applications of `test/applications`: built by this server's builder, brought up by docker
 * compose, asked, and taken down, and the same on podman's service. They take the better part of an
 * hour, so only a soak runs them.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Actor } from '../../e2e/actor.ts';
import { type Installation, install } from '../../e2e/installation.ts';
import { scaled } from '../../e2e/time-scale.ts';
import { APPLICATIONS_BASE, applicationsRoot } from '../../images/applications-image.ts';
import { startPodmanService } from '../../peers/podman-service.ts';
import { type ComposeEngine, describeApplication, runApplication } from './application.ts';
import { PodmanCompose } from './podman-compose.ts';

const APPLICATIONS = join(import.meta.dirname, '../../applications');
const DEADLINE_MS = scaled(900_000);
/**
 * The first build takes the base image into the builder: nearly a gigabyte, unpacked file by file.
 */
const BASE_MS = scaled(2_400_000);

let installation: Installation;
let actor: Actor;
let podman: PodmanCompose | undefined;
const directory = mkdtempSync(join(tmpdir(), 'a3s-applications-'));

beforeAll(async () => {
  const base = await applicationsRoot();
  const service = await startPodmanService();
  podman = service === undefined ? undefined : new PodmanCompose(service, DEADLINE_MS);
  await podman?.docker('import', base, APPLICATIONS_BASE);
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  const options = { deadlineMs: BASE_MS };
  await actor.ok(['import', base, APPLICATIONS_BASE], options);
  const context = join(directory, 'base');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), `FROM ${APPLICATIONS_BASE}\nRUN true\n`);
  await actor.ok(['build', '--quiet', context], options);
}, BASE_MS);

afterAll(async () => {
  await podman?.stop();
  await actor.run(['builder', 'rm', '--force', 'default']);
  await actor.leave();
  expect(actor.remains()).toEqual([]);
  installation.remove();
  rmSync(directory, { recursive: true });
}, DEADLINE_MS);

it.each(readdirSync(APPLICATIONS))(
  'builds, runs and removes %s, which answers as on podman',
  async (name) => {
    const project = copyOf(name, 'ours');
    const description = describeApplication(project);
    const answers = await runApplication(ours(project), project, description);
    expect(await left()).toEqual([]);
    if (podman === undefined || description.withoutPodman !== undefined) return;
    const other = copyOf(name, 'podman');
    expect(answers).toEqual(await runApplication(podman.of(other), other, description));
  },
  DEADLINE_MS,
);

/** A directory of the application's name, which is the name of its project. */
function copyOf(name: string, whose: string): string {
  const project = join(directory, whose, name);
  cpSync(join(APPLICATIONS, name), project, { recursive: true });
  return project;
}

function ours(project: string): ComposeEngine {
  const compose = (...args: readonly string[]): Promise<string> =>
    actor.ok(['compose', '--project-directory', project, ...args], { deadlineMs: DEADLINE_MS });
  return {
    compose,
    request: async (service, port, path) => {
      const address = await compose('port', service, String(port));
      return await (await fetch(`http://${address}${path}`)).text();
    },
  };
}

/** Boxes, networks and volumes beside those of the builder. */
async function left(): Promise<readonly string[]> {
  const lists = await Promise.all([
    actor.ok(['ps', '--all', '--format', '{{.Names}}']),
    actor.ok(['network', 'ls', '--filter', 'type=custom', '--format', '{{.Name}}']),
    actor.ok(['volume', 'ls', '--format', '{{.Name}}']),
  ]);
  return lists
    .flatMap((text) => text.split('\n'))
    .filter((name) => name !== '' && name !== 'a3s-builder-default');
}
