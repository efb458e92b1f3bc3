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

/** What the server tells of a start that did not begin with a template, or whose template was no good. */
const COLD = /"Action":"(miss|drop|template-failed)"/;

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
  const docker = apiOf(actor);
  const since = now();
  // The server keeps the last few hundred; the earlier ones are heard as they come.
  const heard = (await docker.getEvents({ since })) as Readable;
  const words: Buffer[] = [];
  heard.on('data', (chunk: Buffer) => words.push(chunk));
  try {
    const result = await use();
    const last = await text(await docker.getEvents({ since, until: now() }));
    refuseCold(`${Buffer.concat(words).toString()}${last}`);
    return result;
  } finally {
    heard.destroy();
  }
}

/** @param events one a line, the last line perhaps incomplete, and then it comes again */
function refuseCold(events: string): void {
  const cold = events.split('\n').find((line) => COLD.test(line));
  if (cold !== undefined) throw new Error(`Cannot be measured warm: a box started cold: ${cold}`);
}

/** In seconds. */
function now(): number {
  return Date.now() / 1000;
}
