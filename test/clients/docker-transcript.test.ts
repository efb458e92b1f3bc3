import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker } from '../../src/server/testing/docker.ts';
import { ACTORS, Actor } from '../e2e/actor.ts';
import { type Installation, install } from '../e2e/installation.ts';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { CHAPTERS } from './docker-script.ts';
import { type PodmanService, startPodmanService } from './podman-service.ts';
import { type Command, take } from './transcript.ts';

/** With a registry in front, so that it is called the same everywhere. */
const IMAGE = 'localhost/a3s/busybox:1';
const CHAPTER_MS = 600_000;
const COMMANDS = CHAPTERS.flatMap(([, commands]) => commands);

let installation: Installation;
let actor: Actor;
let podman: PodmanService | undefined;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  const at = (name: string): string => join(installation.root, name);
  env = { IMAGE, ARCHIVE: at('image.tar'), ENVFILE: at('env'), LABELFILE: at('labels') };
  writeFileSync(at('image.tar'), dockerArchive([buildImage(busyboxImage(IMAGE))]));
  writeFileSync(at('env'), 'FILE=one\nOTHER=two\n');
  writeFileSync(at('labels'), 'from=file\n');
  podman = await startPodmanService();
  expect(await actor.ok(['info', '--format', '{{.Socket}}'])).toBe(actor.socket);
  await actor.ok(['template', 'warm']);
});
afterAll(async () => {
  await podman?.stop();
  await actor.leave();
  installation.remove();
  expect(actor.remains()).toEqual([]);
});

describe('the script', () => {
  it('has at least 150 commands and at most ten differences, each with its document', async () => {
    expect(COMMANDS.length).toBeGreaterThanOrEqual(150);
    const differences = COMMANDS.flatMap(({ differs }) => (differs === undefined ? [] : [differs]));
    expect(differences.length).toBeLessThanOrEqual(10);
    for (const { document, words } of differences) {
      if (document.startsWith('https://docs.docker.com/')) continue;
      const page = await readFile(join(import.meta.dirname, '../..', document), 'utf8');
      expect(page.replace(/\s+/g, ' ')).toContain(words);
    }
  });
});

describe('docker, of a3s-box and of podman', () => {
  for (const [chapter, commands] of CHAPTERS) {
    it(
      `agrees on ${chapter}`,
      async () => {
        const wrong: unknown[] = [];
        for (const command of commands) wrong.push(...(await mistakes(command)));
        expect(wrong).toEqual([]);
      },
      CHAPTER_MS,
    );
  }

  it('passes bytes in and out unchanged', async () => {
    const bytes = randomBytes(1_000_000);
    const run = ['run', '-i', '--rm', '--network', 'none', IMAGE, 'cat'];
    const { code, bytes: back } = await docker(actor.socket, run, bytes);
    expect(code).toBe(0);
    expect(back.equals(bytes)).toBe(true);
  });

  it('has nothing left that was refused, and nothing that runs', async () => {
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    await expect.poll(() => actor.machines(), { timeout: 120_000 }).toEqual([]);
  });
});

/** What is not as the script says: exit code, Docker's words, or an answer other than podman's. */
async function mistakes(command: Command): Promise<readonly unknown[]> {
  const { line, code = 0, says, differs } = command;
  const [ours, theirs] = await Promise.all([
    take(actor.socket, command, env),
    podman === undefined ? undefined : take(podman.socket, command, env),
  ]);
  const wrong: unknown[] = [];
  const { raw, entry } = ours;
  if (raw.code !== code) wrong.push({ line, expected: code, raw });
  if (says !== undefined && !`${raw.stdout}${raw.stderr}`.includes(says)) {
    wrong.push({ line, says, raw });
  }
  if (theirs === undefined) return wrong;
  const same = JSON.stringify(theirs.entry) === JSON.stringify(entry);
  if (same !== (differs === undefined)) {
    wrong.push({ line, differs, ours: entry, theirs: theirs.entry });
  }
  return wrong;
}
