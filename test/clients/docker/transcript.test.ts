import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from '../../../src/server/testing/docker.ts';
import { ACTORS, Actor } from '../../e2e/actor.ts';
import { type Installation, install } from '../../e2e/installation.ts';
import { SOAK } from '../../e2e/soak.ts';
import { scaled } from '../../e2e/time-scale.ts';
import { buildImage, busyboxImage, dockerArchive } from '../../images/build-image.ts';
import { startDockerdService } from '../../peers/dockerd-service.ts';
import type { EngineService } from '../../peers/engine-service.ts';
import { startPodmanService } from '../../peers/podman-service.ts';
import { CHAPTERS } from './script.ts';
import { type Answer, type Command, take } from './transcript.ts';

const HISTORY = [
  { created: '1970-01-01T00:00:00Z', created_by: 'ADD busybox /' },
  {
    created: '1970-01-01T00:00:00Z',
    created_by: 'CMD ["sh"]',
    comment: 'a test',
    empty_layer: true,
  },
];
/** With a registry in front, so that it is called the same everywhere. */
const IMAGE = 'localhost/a3s/busybox:1';
const CHAPTER_MS = scaled(600_000);
/** Some of what Docker answers at once, podman never does: it is asked in the soak alone. */
const PODMAN_MS = 10_000;
const COMMANDS = CHAPTERS.flatMap(([, commands]) => commands);

let installation: Installation;
/** What the commands read and write. */
let directory: string;
let actor: Actor;
let dockerd: EngineService | undefined;
let podman: EngineService | undefined;
let env: Readonly<Record<string, string>>;
/**
 * Commands that podman, asked once, answers in time, and those of them that it answers as dockerd
 * does.
 */
const opinions = { given: 0, same: 0 };

beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  directory = mkdtempSync(join(tmpdir(), 'a3s-transcript-'));
  // The ordinary user's boxes share a part of it.
  chmodSync(directory, 0o755);
  const at = (name: string): string => join(directory, name);
  env = {
    ...{ IMAGE, ARCHIVE: at('image.tar'), SHARED: at('shared') },
    ...{ ENVFILE: at('env'), LABELFILE: at('labels') },
  };
  mkdirSync(at('shared'));
  writeFileSync(at('shared/file'), 'shared\n');
  writeFileSync(
    at('image.tar'),
    dockerArchive([buildImage({ ...busyboxImage(IMAGE), history: HISTORY })]),
  );
  writeFileSync(at('env'), 'FILE=one\nOTHER=two\n');
  writeFileSync(at('labels'), 'from=file\n');
  dockerd = await startDockerdService();
  if (SOAK) podman = await startPodmanService();
  // Both need root; the packages of the tests have both.
  if (process.getuid?.() === 0) {
    expect(dockerd).toBeDefined();
    expect(podman !== undefined).toBe(SOAK);
  }
  expect(await actor.ok(['info', '--format', '{{.Socket}}'])).toBe(actor.socket);
  await actor.ok(['template', 'warm']);
});
afterAll(async () => {
  await Promise.all([dockerd?.stop(), podman?.stop()]);
  await actor.leave();
  rmSync(directory, { recursive: true, force: true });
  installation.remove();
  expect(actor.remains()).toEqual([]);
});

describe('docker, with a3s-box and with dockerd', () => {
  for (const [chapter, commands] of CHAPTERS) {
    it(
      `docker prints the same with a3s-box and dockerd: ${chapter}`,
      async () => {
        const wrong: unknown[] = [];
        for (const command of commands) wrong.push(...(await mistakes(command)));
        expect(wrong).toEqual([]);
      },
      CHAPTER_MS,
    );
  }

  if (SOAK) {
    it('podman agrees with dockerd on most commands of the script', (context) => {
      if (podman === undefined) return context.skip('podman does not run here');
      // A slow host has it late more often: that is no answer.
      expect(opinions.given).toBeGreaterThan(0.5 * COMMANDS.length);
      expect(opinions.same).toBeGreaterThan(0.75 * opinions.given);
    });
  }

  it('loads an archive saved by dockerd, and dockerd one of ours', async (context) => {
    if (dockerd === undefined) return context.skip('dockerd does not run here');
    for (const [from, to] of [
      [dockerd, actor],
      [actor, dockerd],
    ] as const) {
      const saved = await docker(from.socket, ['save', IMAGE]);
      const id = await docker(from.socket, ['images', '--quiet', '--no-trunc', IMAGE]);
      expect((await docker(to.socket, ['rmi', '--force', IMAGE])).code).toBe(0);
      const { stdout } = await docker(to.socket, ['load'], saved.bytes);
      expect(stdout).toBe(`Loaded image: ${IMAGE}\n`);
      const loaded = await docker(to.socket, ['images', '--quiet', '--no-trunc', IMAGE]);
      expect(loaded.stdout).toBe(id.stdout);
    }
  });

  it('docker run -i passes bytes through unchanged', async () => {
    const bytes = randomBytes(1_000_000);
    const run = ['run', '-i', '--rm', '--network', 'none', IMAGE, 'cat'];
    const { code, bytes: back } = await docker(actor.socket, run, bytes);
    expect(code).toBe(0);
    expect(back.equals(bytes)).toBe(true);
  });

  it('leaves no box and no process of a refused command', async () => {
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    await expect.poll(() => actor.boxProcesses()).toEqual([]);
  });
});

/**
 * What is not as the script says, or not as Docker does it, with podman's answer as a second
 * opinion.
 */
async function mistakes(command: Command): Promise<readonly unknown[]> {
  const { until: _, ...once } = command;
  const [ours, docker, other] = await Promise.all([
    ask('ours', actor, command),
    ask('dockerd', dockerd, command),
    Promise.race([ask('podman', podman, once), delay(PODMAN_MS, undefined, { ref: false })]),
  ]);
  const { line, code = 0, says, differs } = command;
  const expected = differs === undefined ? [ours, docker] : [ours];
  const wrong: unknown[] = expected.flatMap((answer) => {
    if (answer === undefined) return [];
    const { raw } = answer;
    const isSaid = says === undefined || `${raw.stdout}${raw.stderr}`.includes(says);
    return raw.code === code && isSaid ? [] : [{ line, code, says, raw }];
  });
  if (docker === undefined || ours === undefined) return wrong;
  if (other !== undefined) {
    opinions.given += 1;
    if (isSame(other, docker)) opinions.same += 1;
  }
  if (isSame(ours, docker) !== (differs === undefined)) {
    const [entry, dockers, podmans] = [ours, docker, other].map((answer) => answer?.entry);
    wrong.push({ line, differs, ours: entry, dockerd: dockers, podman: podmans });
  }
  return wrong;
}

async function ask(
  name: string,
  engine: { readonly socket: string } | undefined,
  command: Command,
): Promise<Answer | undefined> {
  if (engine === undefined) return undefined;
  return await take(engine.socket, command, {
    ...env,
    SAVED: join(directory, `${name}.tar`),
  });
}

function isSame(one: Answer, other: Answer): boolean {
  return JSON.stringify(one.entry) === JSON.stringify(other.entry);
}
