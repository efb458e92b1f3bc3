/**
 * The routes of boxes, apart from their streams.
 *
 * @module
 */
import * as z from 'zod';
import { createBox } from '../../../boxes/create/create.ts';
import type { Runtime } from '../../../boxes/runtime.ts';
import { startBox } from '../../../boxes/start/start.ts';
import { removeBox } from '../../../boxes/supervise/remove.ts';
import { resizeBox } from '../../../boxes/verbs/resize.ts';
import { killBox, stopBox } from '../../../boxes/verbs/stop.ts';
import { type Ending, waitBox } from '../../../boxes/verbs/wait.ts';
import { ContainerInspect, ContainerSummary } from '../../../docker-api/container.ts';
import { CreateBody, Created } from '../../../docker-api/create.ts';
import { Waited } from '../../../docker-api/wait.ts';
import { A3sError } from '../../../errors.ts';
import { empty, json, stream } from '../../http/answer.ts';
import { documentsOf, EMPTY } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { trustOptions, trustQuery } from '../images/trust-query.ts';
import { expectPlatform, parsePlatform } from '../platform.ts';
import { flag, noBody, optionalInt, query, sizeQuery } from '../query.ts';
import { checkSubpaths } from './create/mounts/create-mounts.ts';
import { parseCreate } from './create/parse-create.ts';
import { inspectBox } from './inspect/inspect.ts';
import { listBoxes, sizesOf } from './inspect/list.ts';
import { listFilters } from './inspect/list-filters.ts';

const access = 'owner';

export const CONTAINER_ROUTES: readonly Route<Runtime>[] = [
  route('GET', '/containers/json', {
    access,
    summary: 'List boxes, newest first',
    answers: { 200: z.array(ContainerSummary) },
    query: query({ all: flag, limit: optionalInt, size: flag, filters: listFilters }),
    body: noBody,
    handler: async ({ query }, rt) => json(await listBoxes(rt, query, Date.now())),
  }),
  route('POST', '/containers/create', {
    access,
    summary: 'Create a box',
    answers: { 201: Created },
    query: query({
      name: z.string().max(1024).optional(),
      platform: z.string().max(64).optional(),
      ...trustQuery,
    }),
    body: {
      schema: CreateBody,
      read: (document, asked) => parseCreate(withoutQuery(document, asked)),
    },
    handler: async ({ query, body: { request: asked, warnings }, headers, apiVersion }, rt) => {
      checkSubpaths(asked, apiVersion);
      const platform = parsePlatform(query.platform);
      const request = { ...asked, name: query.name || undefined };
      await expectPlatform(rt, platform, request.image);
      const box = await createBox(rt, request, trustOptions(query, headers));
      return json({ Id: box.definition.id, Warnings: warnings }, 201);
    },
  }),
  route('GET', '/containers/:id/json', {
    access,
    summary: 'Inspect a box',
    answers: { 200: ContainerInspect },
    query: query({ size: flag }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      const box = rt.store.resolve(id);
      const sizes = query.size ? await sizesOf(rt, box, await rt.images.usage()) : {};
      return json({ ...inspectBox(rt, box), ...sizes });
    },
  }),
  route('POST', '/containers/:id/start', {
    access,
    summary: 'Start a box',
    answers: { 204: EMPTY, 304: EMPTY },
    query: query({ detachKeys: z.string().max(256).optional(), ...trustQuery }),
    body: noBody,
    handler: async ({ id, query, headers }, rt) => {
      const options = trustOptions(query, headers);
      const started = await startBox(rt, rt.store.resolve(id).definition.id, options);
      return empty(started ? 204 : 304);
    },
  }),
  route('POST', '/containers/:id/stop', {
    access,
    summary: 'Stop a box by its signal, and by SIGKILL after a timeout',
    answers: { 204: EMPTY, 304: EMPTY },
    query: query({ t: optionalInt, signal: z.string().max(32).optional() }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      const options = { timeoutSeconds: query.t, signal: query.signal || undefined };
      const stopped = await stopBox(rt, rt.store.resolve(id).definition.id, options);
      return empty(stopped ? 204 : 304);
    },
  }),
  route('POST', '/containers/:id/kill', {
    access,
    summary: 'Send a signal to the main process',
    answers: { 204: EMPTY },
    query: query({ signal: z.string().max(32).default('SIGKILL') }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      await killBox(rt, rt.store.resolve(id).definition.id, query.signal || 'SIGKILL');
      return empty();
    },
  }),
  route('POST', '/containers/:id/resize', {
    access,
    summary: 'Resize the terminal of a box',
    answers: { 200: EMPTY },
    query: sizeQuery,
    body: noBody,
    handler: async ({ id, query }, rt) => {
      const size = { rows: query.h, columns: query.w };
      await resizeBox(rt, rt.store.resolve(id).definition.id, size);
      return empty(200);
    },
  }),
  route('POST', '/containers/:id/wait', {
    access,
    summary: 'Wait until a box has ended or was removed',
    answers: { 200: documentsOf(Waited) },
    query: query({ condition: z.enum(['not-running', 'next-exit', 'removed', '']).optional() }),
    body: noBody,
    handler: ({ id, query, signal }, rt) => {
      const box = rt.store.resolve(id);
      // Started before the headers are sent, so that it misses nothing that the client does next.
      const ending = waitBox(rt, box.definition.id, query.condition || 'not-running', signal);
      ending.catch(() => undefined);
      return stream(waitDocument(ending), 'application/json');
    },
  }),
  route('DELETE', '/containers/:id', {
    access,
    summary: 'Remove a box',
    answers: { 204: EMPTY },
    query: query({ v: flag, force: flag, link: flag }),
    body: noBody,
    handler: async ({ id, query }, rt) => {
      if (query.link) {
        throw new A3sError('unsupported-option', 'Cannot remove a link: boxes have none');
      }
      const { force, v: volumes } = query;
      await removeBox(rt, rt.store.resolve(id).definition.id, { force, volumes });
      return empty();
    },
  }),
];

/** A widely used client repeats the query's parameters in the body. */
function withoutQuery(body: unknown, query: Readonly<Record<string, unknown>>): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const repeated = ([key, value]: [string, unknown]): boolean =>
    Object.hasOwn(query, key) && query[key] === value;
  return Object.fromEntries(Object.entries(body).filter((entry) => !repeated(entry)));
}

async function* waitDocument(ending: Promise<Ending>): AsyncGenerator<Uint8Array> {
  const { exitCode, error } = await ending;
  const document: Waited = {
    StatusCode: exitCode,
    ...(error === '' ? {} : { Error: { Message: error } }),
  };
  yield Buffer.from(`${JSON.stringify(document)}\n`);
}
