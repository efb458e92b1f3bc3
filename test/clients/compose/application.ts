/**
 * An application of `test/applications`: brought up by docker compose on any engine, asked, and
 * taken down.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { until } from '../../e2e/processes.ts';

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
  /** Why podman does not run it here. */
  withoutPodman: z.string().optional(),
});
type Asked = z.infer<typeof Question>;

export interface ComposeEngine {
  /** Runs docker compose, which must succeed, in the directory of the application. */
  compose(...args: readonly string[]): Promise<string>;
  /** The body of an answer to HTTP. Rejects where there is none. */
  request(service: string, port: number, path: string): Promise<string>;
}

export type ApplicationDescription = z.infer<typeof Description>;

export function describeApplication(project: string): ApplicationDescription {
  return Description.parse(JSON.parse(readFileSync(join(project, 'requests.json'), 'utf8')));
}

/**
 * Brings it up, with images that are built, and down again.
 *
 * @returns the part of each answer that was asked for
 */
export async function runApplication(
  engine: ComposeEngine,
  project: string,
  { requests, restart, scale, change }: ApplicationDescription,
): Promise<readonly string[]> {
  await engine.compose('build');
  await engine.compose('up', '--detach', '--wait');
  const answers = await askAll(engine, requests);
  if (restart !== undefined) {
    await engine.compose('restart', restart.service);
    answers.push(...(await askAll(engine, restart.requests)));
  }
  if (scale !== undefined) {
    const number = `${scale.service}=${scale.to}`;
    await engine.compose('up', '--detach', '--no-recreate', '--scale', number);
    const ids = await engine.compose('ps', '--quiet', scale.service);
    answers.push(`${ids.split('\n').length} boxes`, ...(await askAll(engine, scale.requests)));
  }
  if (change !== undefined) {
    writeFileSync(join(project, change.file), change.text);
    answers.push(...(await askAll(engine, change.requests)));
  }
  await engine.compose('down', '--volumes', '--rmi', 'local');
  return answers;
}

/** One after the other: an answer depends on what was asked before. */
async function askAll(engine: ComposeEngine, all: readonly Asked[]): Promise<string[]> {
  const answers: string[] = [];
  for (const each of all) {
    const wanted = new RegExp(each.answers, 's');
    await until(`${each.service} answers ${each.answers}`, async () => {
      const [part] = wanted.exec(await answerOf(engine, each)) ?? [];
      if (part !== undefined) answers.push(part);
      return part !== undefined;
    });
  }
  return answers;
}

/** Empty where there is none yet. */
async function answerOf(engine: ComposeEngine, asked: Asked): Promise<string> {
  try {
    if ('exec' in asked) return await engine.compose('exec', '-T', asked.service, ...asked.exec);
    return await engine.request(asked.service, asked.port, asked.path);
  } catch {
    return '';
  }
}
