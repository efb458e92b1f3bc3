/**
 * Routes as an OpenAPI document, from the very schemas that parse requests and type answers.
 *
 * @module
 */
import * as z from 'zod';
import { Problem } from '../../docker-api/problem.ts';
import { API_VERSION, MIN_API_VERSION, VERSION } from '../version.ts';
import type { Replies, Reply } from './replies.ts';
import type { DescribedBody, RouteEntry } from './route.ts';

const ABOUT = `The Docker Engine API, and under /a3s/v1 routes that Docker does not have. Every path may begin with a version of
Docker's API, /v${MIN_API_VERSION} to /v${API_VERSION}; without one it is ${API_VERSION}. What a version changes is said in docs/docker-api.md.
A client that may open the socket may call everything. HEAD is answered wherever GET is.`;

export function openApiDocument(routes: readonly RouteEntry[]) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const { method, path, access, description } = route;
    const { summary, query, body, answers } = description;
    const key = openApiPath(path);
    const operations = paths[key] ?? {};
    operations[method.toLowerCase()] = {
      summary,
      'x-access': access,
      parameters: [...pathParameters(path), ...queryParameters(query)],
      ...(body === undefined ? {} : { requestBody: { content: uploaded(body) } }),
      responses: { ...responses(answers), default: PROBLEM },
    };
    paths[key] = operations;
  }
  return {
    openapi: '3.1.0',
    info: { title: 'A3S Box', version: VERSION, description: ABOUT.replaceAll('\n', ' ') },
    servers: [{ url: '/' }, { url: `/v${API_VERSION}` }],
    paths,
    components: { schemas: { Problem: schemaOf('output', Problem) } },
  };
}

/** `/a/:id` as `/a/{id}`. */
export function openApiPath(path: string): string {
  return path.replace(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
}

const PROBLEM = {
  description: 'A refusal, with a stable code',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

function responses(answers: Replies): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, reply]: [string, Reply]) => [status, response(reply)]),
  );
}

function response(reply: Reply) {
  if (!('kind' in reply)) {
    return { description: 'A document', content: content('output', reply) };
  }
  switch (reply.kind) {
    case 'empty':
      return { description: 'No document' };
    case 'text':
      return { description: 'Text', content: { 'text/plain': { schema: { type: 'string' } } } };
    case 'hijack':
      return { description: 'The connection is the client’s own; 200 where it is not upgraded' };
    case 'stream':
      return {
        description: reply.line === undefined ? 'Bytes' : 'Documents, one after the other',
        content: Object.fromEntries(
          reply.types.map((type) => [
            type,
            reply.line === undefined ? {} : { schema: schemaOf('output', reply.line) },
          ]),
        ),
      };
  }
}

function uploaded({ type, document }: DescribedBody): Record<string, unknown> {
  return { [type]: document === undefined ? {} : { schema: schemaOf('input', document) } };
}

function pathParameters(path: string) {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.ZodType) {
  const { properties = {}, required = [] } = schemaOf('input', query);
  return Object.entries(properties).map(([name, schema]) => ({
    ...{ name, in: 'query', required: required.includes(name) },
    schema,
  }));
}

function content(io: 'input' | 'output', schema: z.ZodType) {
  return { 'application/json': { schema: schemaOf(io, schema) } };
}

/** OpenAPI cannot express the checks of a schema beyond its shape. */
function schemaOf(io: 'input' | 'output', schema: z.ZodType) {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
