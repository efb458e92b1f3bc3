/**
 * The applications of `test/applications`: built by this server's builder, brought up by docker
 * compose, asked, and taken down. They take the better part of an hour, so only a soak runs them.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { Actor } from '../e2e/actor.ts';
import { type Installation, install } from '../e2e/installation.ts';
import { until } from '../e2e/processes.ts';
import { scaled } from '../e2e/time-scale.ts';
import { APPLICATIONS_BASE, applicationsRoot } from '../images/applications-image.ts';

const APPLICATIONS = join(import.meta.dirname, '../applications');
/** The first build takes the base image into the builder. */
const DEADLINE_MS = scaled(900_000);

const service = z.string();
/** What a service has to answer: to HTTP on a port, or as the output of a command in it. */
const Question = z.union([
  z.strictObject({ service, port: z.int(), path: z.string(), answers: z.string() }),
  z.strictObject({ service, exec: z.array(z.string()), answers: z.string() }),
]);
const questions = z.array(Question);
const Description = z.strictObject({
  requests: questions,
  /** A service that is started again, and what is answered then. */
  restart: z.strictObject({ service, requests: questions }).optional(),
  /** As many boxes of a service. */
  scale: z.strictObject({ service, to: z.int(), requests: questions }).optional(),
  /** A file of the host that changes. */
  change: z.strictObject({ file: z.string(), text: z.string(), requests: questions }).optional(),
});

let installation: Installation;
let actor: Actor;
const directory = mkdtempSync(join(tmpdir(), 'a3s-applications-'));

beforeAll(async () => {
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  const options = { deadlineMs: DEADLINE_MS };
  await actor.ok(['import', await applicationsRoot(), APPLICATIONS_BASE], options);
}, DEADLINE_MS);

afterAll(async () => {
  await actor.run(['builder', 'rm', '--force', 'default']);
  await actor.leave();
  expect(actor.remains()).toEqual([]);
  installation.remove();
  rmSync(directory, { recursive: true });
}, DEADLINE_MS);

it.each(readdirSync(APPLICATIONS))(
  'builds, runs and removes %s',
  async (name) => {
    const project = join(directory, name);
    cpSync(join(APPLICATIONS, name), project, { recursive: true });
    const { requests, restart, scale, change } = Description.parse(
      JSON.parse(readFileSync(join(project, 'requests.json'), 'utf8')),
    );
    const compose = (...args: readonly string[]): Promise<string> =>
      actor.ok(['compose', '--project-directory', project, ...args], { deadlineMs: DEADLINE_MS });
    await compose('up', '--build', '--detach', '--wait');
    await askAll(compose, requests);
    if (restart !== undefined) {
      await compose('restart', restart.service);
      await askAll(compose, restart.requests);
    }
    if (scale !== undefined) {
      await compose('up', '--detach', '--no-recreate', '--scale', `${scale.service}=${scale.to}`);
      expect((await compose('ps', '--quiet', scale.service)).split('\n')).toHaveLength(scale.to);
      await askAll(compose, scale.requests);
    }
    if (change !== undefined) {
      writeFileSync(join(project, change.file), change.text);
      await askAll(compose, change.requests);
    }
    await compose('down', '--volumes', '--rmi', 'local');
    expect(await left()).toEqual([]);
  },
  DEADLINE_MS,
);

type Compose = (...args: readonly string[]) => Promise<string>;

async function askAll(compose: Compose, all: z.infer<typeof questions>): Promise<void> {
  // One after the other: an answer depends on what was asked before.
  for (const each of all) {
    const wanted = new RegExp(each.answers, 's');
    await until(`${each.service} answers ${each.answers}`, async () => {
      const answer = await answerOf(compose, each);
      return answer !== undefined && wanted.test(answer);
    });
  }
}

/** Undefined where there is none yet. */
async function answerOf(
  compose: Compose,
  asked: z.infer<typeof Question>,
): Promise<string | undefined> {
  try {
    if ('exec' in asked) return await compose('exec', '-T', asked.service, ...asked.exec);
    const address = await compose('port', asked.service, String(asked.port));
    const response = await fetch(`http://${address}${asked.path}`);
    return await response.text();
  } catch {
    return undefined;
  }
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
