/**
 * Requests of the control server itself to a builder's API, each over a connection of its own.
 *
 * @module
 */
import { type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import * as z from 'zod';
import type { Builder } from '../builder.ts';
import { failed } from './upgrade.ts';

const MAX_WORDS = 1000;

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readable;
  readonly signal: AbortSignal;
}

/**
 * The answer, whatever its status.
 *
 * @throws A3sError `builder-failed`
 */
export async function callBuilder(
  builder: Builder,
  { method, path, headers, body, signal }: ApiRequest,
): Promise<IncomingMessage> {
  const connection = await builder.dial(signal);
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({
      ...{ createConnection: () => connection, method, path, signal },
      headers: { host: 'builder', connection: 'close', ...headers },
    });
    sent.once('response', resolve);
    sent.on('error', (error) => {
      connection.destroy();
      reject(signal.aborted ? signal.reason : failed(error.message, error));
    });
    if (body === undefined) sent.end();
    else {
      // An answer may come before the end of the body: a build that fails at once.
      body.once('error', (error) => sent.destroy(error));
      body.pipe(sent);
    }
  });
}

/** A document. @throws A3sError `builder-failed` for any other answer */
export async function askBuilder<T>(
  builder: Builder,
  asked: ApiRequest,
  schema: z.ZodType<T>,
): Promise<T> {
  const answer = await callBuilder(builder, asked);
  const text = (await buffer(answer)).toString();
  const status = answer.statusCode ?? 0;
  if (status >= 400) throw failed(`${asked.path} gives ${status}: ${text.slice(0, MAX_WORDS)}`);
  const parsed = schema.safeParse(text === '' ? undefined : JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw failed(`${asked.path} gives another document than expected`);
}

/** A stream of bytes. @throws A3sError `builder-failed` for an error as its answer */
export async function readBuilder(builder: Builder, asked: ApiRequest): Promise<IncomingMessage> {
  const answer = await callBuilder(builder, asked);
  const status = answer.statusCode ?? 0;
  if (status < 400) return answer;
  const text = (await buffer(answer)).toString('utf8', 0, MAX_WORDS);
  throw failed(`${asked.path} gives ${status}: ${text}`);
}

const Listed = z.array(z.looseObject({ Id: z.string(), RepoTags: z.array(z.string()).nullish() }));

/** Removes every name in the builder, since a name there could stand for an image in a `FROM`. */
export async function removeNames(builder: Builder, signal: AbortSignal): Promise<void> {
  const listed = await askBuilder(builder, { method: 'GET', path: '/images/json', signal }, Listed);
  const names = listed.flatMap(({ RepoTags }) => RepoTags ?? []);
  for (const name of names) {
    if (name !== '<none>:<none>') await removeImage(builder, name, signal);
  }
}

/** Removes an image by name or digest, where it is there. */
export async function removeImage(
  builder: Builder,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const path = `/images/${encodeURIComponent(name)}?force=1`;
  const answer = await callBuilder(builder, { method: 'DELETE', path, signal });
  const text = (await buffer(answer)).toString('utf8', 0, MAX_WORDS);
  const status = answer.statusCode ?? 0;
  if (status >= 400 && status !== 404) throw failed(`${path} gives ${status}: ${text}`);
}

/** Removes everything that earlier builds have left. */
export async function pruneAll(builder: Builder, signal: AbortSignal): Promise<void> {
  const post = { method: 'POST', signal } as const;
  const anything = z.unknown();
  await removeNames(builder, signal);
  const unused = encodeURIComponent(JSON.stringify({ dangling: ['false'] }));
  await askBuilder(builder, { ...post, path: `/images/prune?filters=${unused}` }, anything);
  await askBuilder(builder, { ...post, path: '/build/prune?all=1' }, anything);
}
