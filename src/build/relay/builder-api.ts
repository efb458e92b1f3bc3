/**
 * Requests of the control server itself to a builder's API, each over a connection of its own.
 *
 * @module
 */
import { type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import type { Builder } from '../builder.ts';
import { errorWords, firstBytes } from './answer-body.ts';
import { failed } from './upgrade.ts';

const MAX_DOCUMENT = 4 * 1024 * 1024;
/** For one question of this server's own, from the first byte to the last. */
const ANSWER_MS = 30_000;
/** For all that removes names, however many a builder claims to have. */
const REMOVE_MS = 60_000;
const PRUNE_MS = 600_000;
const PRUNE_ATTEMPTS = 5;
const PRUNE_PAUSE_MS = 1000;

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable;
  readonly signal: AbortSignal;
}

/**
 * The answer, whatever its status. Rejects when the builder leaves HTTP or the connection instead.
 *
 * @throws A3sError `builder-failed`
 */
export async function callBuilder(
  builder: Builder,
  { method, path, headers, body, signal }: ApiRequest,
): Promise<IncomingMessage> {
  const connection = await builder.dial(signal);
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const fail = (error: unknown): void => {
      connection.destroy();
      reject(signal.aborted ? signal.reason : error);
    };
    // With a connection of its own, a request has no agent.
    const sent = request({
      ...{ createConnection: () => connection, method, path, signal },
      headers: { host: 'builder', connection: 'close', ...headers },
    });
    sent.once('response', resolve);
    sent.once('upgrade', (_response, socket) => {
      socket.destroy();
      fail(failed(`it answers ${path} by leaving HTTP`));
    });
    sent.on('error', (error) => fail(failed(error.message, error)));
    // Once there is an answer, this changes nothing.
    sent.once('close', () => reject(signal.aborted ? signal.reason : failed('it hung up')));
    if (body === undefined) sent.end();
    else {
      // An answer may come before the end of the body: a build that fails at once.
      body.once('error', (error) => sent.destroy(error));
      body.pipe(sent);
    }
  });
}

/** A document. @throws A3sError `builder-failed` for any other answer, and for none in time */
export async function askBuilder<T>(
  builder: Builder,
  asked: ApiRequest,
  schema: z.ZodType<T>,
  withinMs: number = ANSWER_MS,
): Promise<T> {
  const { path } = asked;
  const { status, text } = await inTime(asked.signal, withinMs, async (signal) => {
    const answer = await callBuilder(builder, { ...asked, signal });
    const status = answer.statusCode ?? 0;
    if (status >= 400) throw failed(`${path} gives ${status}: ${await wordsOf(answer, signal)}`);
    const { bytes, isWhole } = await reading(firstBytes(answer, MAX_DOCUMENT), signal);
    if (!isWhole) throw failed(`${path} gives more than ${MAX_DOCUMENT} bytes`);
    return { status, text: bytes.toString() };
  });
  const parsed = schema.safeParse(text === '' ? undefined : documentOf(text, path));
  if (parsed.success) return parsed.data;
  throw failed(`${path} gives another document than expected, with status ${status}`);
}

const Listed = z.array(z.looseObject({ RepoTags: z.array(z.string()).nullish() }));

/**
 * Removes every name in the builder, since a name there could stand for an image in a `FROM`. Those
 * of results are among them, which a server left that was killed.
 */
export async function removeNames(builder: Builder, signal: AbortSignal): Promise<void> {
  await inTime(signal, REMOVE_MS, async (signal) => {
    const asked = { method: 'GET', path: '/images/json', signal } as const;
    const listed = await askBuilder(builder, asked, Listed);
    for (const name of listed.flatMap(({ RepoTags }) => RepoTags ?? [])) {
      if (name !== '<none>:<none>') await removeImage(builder, name, signal);
    }
  });
}

/** Removes an image by name or digest, where it is there. */
export async function removeImage(
  builder: Builder,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await remove(builder, `/images/${encodeURIComponent(name)}?force=1`, signal);
}

async function remove(builder: Builder, path: string, signal: AbortSignal): Promise<void> {
  await inTime(signal, ANSWER_MS, async (signal) => {
    const answer = await callBuilder(builder, { method: 'DELETE', path, signal });
    const words = await wordsOf(answer, signal);
    const status = answer.statusCode ?? 0;
    if (status >= 400 && status !== 404) throw failed(`${path} gives ${status}: ${words}`);
  });
}

const Containers = z.array(z.looseObject({ Id: z.string().regex(/^[0-9a-f]{1,64}$/) }));

/** Removes the containers that the classic builder leaves: they hold the images they are of. */
export async function removeContainers(builder: Builder, signal: AbortSignal): Promise<void> {
  await inTime(signal, REMOVE_MS, async (signal) => {
    for (const { Id } of await containersOf(builder, signal)) {
      await remove(builder, `/containers/${Id}?force=1&v=1`, signal);
    }
  });
}

async function containersOf(
  builder: Builder,
  signal: AbortSignal,
): Promise<z.infer<typeof Containers>> {
  const asked = { method: 'GET', path: '/containers/json?all=1', signal } as const;
  return await askBuilder(builder, asked, Containers);
}

/**
 * Removes everything that earlier builds have left.
 *
 * @throws A3sError `builder-failed` where something remains
 */
export async function pruneAll(builder: Builder, signal: AbortSignal): Promise<void> {
  const post = { method: 'POST', signal } as const;
  const anything = z.unknown();
  const unused = encodeURIComponent(JSON.stringify({ dangling: ['false'] }));
  const images = { ...post, path: `/images/prune?filters=${unused}` };
  let left: readonly string[] = [];
  // What a build that was just cancelled uses is given up a moment later.
  for (let attempt = 0; attempt < PRUNE_ATTEMPTS; attempt += 1) {
    if (attempt > 0) await delay(PRUNE_PAUSE_MS, undefined, { signal });
    await removeContainers(builder, signal);
    await removeNames(builder, signal);
    await askBuilder(builder, images, anything, PRUNE_MS);
    await askBuilder(builder, { ...post, path: '/build/prune?all=1' }, anything, PRUNE_MS);
    left = await remains(builder, signal);
    if (left.length === 0) return;
  }
  throw new A3sError(
    'builder-failed',
    `Cannot empty the cache of the builder, which another image policy filled: ${left.join(', ')} remain`,
    {
      remedy: `Build again when no other build runs, or remove the builder: a3s-box builder rm ${builder.name}.`,
    },
  );
}

/**
 * Removes of the cache what it has beyond its size, and what was used longest ago first, and what a
 * build that has failed left on the disk.
 *
 * @param builds whether any may be under way, which use some of it
 */
export async function trimCache(
  builder: Builder,
  builds: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const path = `/build/prune?all=1&keep-storage=${builder.keptBytes}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await askBuilder(builder, { method: 'POST', path, signal }, z.unknown(), PRUNE_MS);
      await closeForgotten(builder, signal);
      if (builds() || !(await cacheOf(builder, signal)).some(({ InUse }) => InUse)) return;
      if (attempt === PRUNE_ATTEMPTS) return;
    } catch (error) {
      // Removing takes some room itself.
      if (attempt === PRUNE_ATTEMPTS) throw error;
    }
    // What a build that has failed uses is given up a moment later.
    await delay(PRUNE_PAUSE_MS, undefined, { signal });
  }
}

/**
 * Has the daemon collect its garbage. BuildKit does not close a file of a context that it could not
 * write to its end, so the disk stays full, though the file is removed, until that happens.
 */
async function closeForgotten(builder: Builder, signal: AbortSignal): Promise<void> {
  await inTime(signal, ANSWER_MS, async (signal) => {
    const path = '/debug/pprof/heap?gc=1';
    const answer = await callBuilder(builder, { method: 'GET', path, signal });
    await reading(firstBytes(answer, MAX_DOCUMENT), signal);
  });
}

const Usage = z.looseObject({
  BuildCache: z.array(z.looseObject({ InUse: z.boolean().optional() })).nullish(),
});

async function cacheOf(builder: Builder, signal: AbortSignal) {
  const asked = { method: 'GET', path: '/system/df', signal } as const;
  return (await askBuilder(builder, asked, Usage, PRUNE_MS)).BuildCache ?? [];
}

/** What a builder still has that a build could begin with. */
async function remains(builder: Builder, signal: AbortSignal): Promise<readonly string[]> {
  const get = { method: 'GET', signal } as const;
  const images = await askBuilder(
    builder,
    { ...get, path: '/images/json?all=1' },
    z.array(z.unknown()),
  );
  const containers = await containersOf(builder, signal);
  const cache = await cacheOf(builder, signal);
  return Object.entries({
    images: images.length,
    containers: containers.length,
    'records of the build cache': cache.length,
  }).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]));
}

/** Ends what takes longer. */
async function inTime<T>(
  signal: AbortSignal,
  ms: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(ms);
  try {
    return await run(AbortSignal.any([signal, deadline]));
  } catch (error) {
    if (signal.aborted || !deadline.aborted) throw error;
    throw failed(`it does not answer within ${ms / 1000} seconds`, error);
  }
}

/** The words of an error, or what `builder-failed` says of a body that is cut. */
function wordsOf(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
  return reading(errorWords(answer), signal);
}

async function reading<T>(read: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await read;
  } catch (error) {
    signal.throwIfAborted();
    throw failed('its answer is cut', error);
  }
}

function documentOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw failed(`${path} gives no JSON`, error);
  }
}
