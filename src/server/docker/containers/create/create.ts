/**
 * `POST /containers/create`.
 *
 * @module
 */
import * as z from 'zod';
import { emulationWarning } from '../../../../boxes/create/architecture.ts';
import { type CreateHost, createBox } from '../../../../boxes/create/create.ts';
import { CreateBody, Created } from '../../../../docker-api/containers/create.ts';
import { json } from '../../../http/answer.ts';
import { type Route, route } from '../../../http/route.ts';
import { trustOptions, trustQuery } from '../../images/trust-query.ts';
import { expectPlatform, parsePlatform } from '../../platform.ts';
import { query } from '../../query.ts';
import { checkSubpaths } from './mounts/create-mounts.ts';
import { parseCreate } from './parse-create.ts';

export const CREATE_ROUTES: readonly Route<CreateHost>[] = [
  route('POST', '/containers/create', {
    access: 'owner',
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
      const { id, architecture } = box.definition;
      const emulated = architecture === undefined ? [] : [emulationWarning(architecture, rt.host)];
      return json({ Id: id, Warnings: [...warnings, ...emulated] }, 201);
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
