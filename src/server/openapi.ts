/**
 * Routes as an OpenAPI document, from the very schemas that requests are read by.
 *
 * @module
 */
import * as z from 'zod';
import type { Route } from './route.ts';

/** Of the routes that describe themselves. */
export function openApiDocument(routes: readonly Route[], version: string) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, description } of routes) {
    if (description === undefined) continue;
    const { summary, query, body, answer } = description;
    const key = path.replace(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
    const operations = paths[key] ?? {};
    operations[method.toLowerCase()] = {
      summary,
      parameters: [...pathParameters(path), ...queryParameters(query)],
      ...(body === undefined
        ? {}
        : { requestBody: { required: true, content: content('input', body) } }),
      responses: { ...answers(answer), default: PROBLEM },
    };
    paths[key] = operations;
  }
  return {
    openapi: '3.1.0',
    info: { title: 'A3S Box', version },
    paths,
    components: { schemas: { Problem: schemaOf('output', Problem) } },
  };
}

const Problem = z.strictObject({
  message: z.string(),
  /** Stable. */
  code: z.string(),
  remedy: z.string().optional(),
});

const PROBLEM = {
  description: 'A refusal, with a stable code',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

function answers(answer: z.ZodType | undefined): Record<string, unknown> {
  if (answer === undefined) return { 101: { description: 'The connection is the client’s own' } };
  return { 200: { description: 'Done', content: content('output', answer) } };
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

/** What a schema checks beyond its shape has no word there. */
function schemaOf(io: 'input' | 'output', schema: z.ZodType) {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
