/**
 * Boxes that start from a template, as a benchmark's precondition.
 *
 * @module
 */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Actor } from '../test/e2e/actor.ts';
import { apiOf } from './answering.ts';

const WARM_MS = 300_000;

/**
 * What the server tells of a start that did not begin with a template, or whose template was no
 * good.
 */
const COLD = /"Action":"(miss|drop|template-failed)"/;

/** What it tells of every start, and of one in a VM of a pool. */
const STARTED = /"Type":"container".*"Action":"start"|"Action":"start".*"Type":"container"/;
const IN_POOL = /"machine":"pool"/;

/**
 * Makes the templates that are missing, and waits for them.
 *
 * @throws Error where this installation makes none
 */
export async function warm(actor: Actor): Promise<void> {
  const { code, stderr } = await actor.run(['template', 'warm'], { deadlineMs: WARM_MS });
  if (code === 0) return;
  throw new Error(
    `Cannot start boxes warm here: a3s-box template warm ended with ${code}: ${stderr.trim()}`,
  );
}

/**
 * What `use` measures, when every box that it started came from a template.
 *
 * @throws Error when one started cold: that must not be measured as warm
 */
export async function warmly<T>(actor: Actor, use: () => Promise<T>): Promise<T> {
  await warm(actor);
  return await watched(actor, use, (line) => COLD.test(line));
}

/**
 * What `use` measures, when every box that it started was in a VM of a pool.
 *
 * @throws Error when one was not: that must not be measured as such
 */
export async function pooled<T>(actor: Actor, use: () => Promise<T>): Promise<T> {
  const wrong = (line: string): boolean => STARTED.test(line) && !IN_POOL.test(line);
  return await watched(actor, use, wrong);
}

async function watched<T>(
  actor: Actor,
  use: () => Promise<T>,
  isWrong: (line: string) => boolean,
): Promise<T> {
  const docker = apiOf(actor);
  const since = now();
  // The server keeps the last few hundred events. Earlier ones are read as they arrive.
  const events = (await docker.getEvents({ since })) as Readable;
  const words: Buffer[] = [];
  events.on('data', (chunk: Buffer) => words.push(chunk));
  try {
    const result = await use();
    const last = await text(await docker.getEvents({ since, until: now() }));
    refuse(`${Buffer.concat(words).toString()}${last}`, isWrong);
    return result;
  } finally {
    events.destroy();
  }
}

/** @param events one a line; the last line may be incomplete, and then it comes again */
function refuse(events: string, isWrong: (line: string) => boolean): void {
  const wrong = events.split('\n').find((line) => line.endsWith('}') && isWrong(line));
  if (wrong === undefined) return;
  throw new Error(`Cannot be measured so: a box started in another way: ${wrong}`);
}

/** In seconds. */
function now(): number {
  return Date.now() / 1000;
}
