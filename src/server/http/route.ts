/**
 * The type of a route, and the path of a request to its handler: the route's schemas narrow it
 * once.
 *
 * @module
 */
import * as z from 'zod';
import type { Answer } from './answer.ts';
import { MAX_JSON, readJson, readStream } from './body.ts';
import { parseRequest } from './parse.ts';
import type { AnswerOf, Replies } from './replies.ts';

/**
 * Who may call a route. `owner`: every process that can open the socket, whose mode is 0600. A
 * route without this field does not compile; one with a value that `authorize` does not know is
 * refused.
 */
export type Access = 'owner';

/** A request as it arrived. */
export interface Call {
  /** Parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * The client asks for the headers of a GET alone. Handlers of streams must not begin one then.
   */
  readonly head: boolean;
  /** The version in the path's prefix: 1.45 is 45. */
  readonly apiVersion: number;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface Request<Query, Body> extends Omit<Call, 'query' | 'body'> {
  readonly query: Query;
  readonly body: Body;
  /** The path's `id`, or the empty string. */
  readonly id: string;
}

/** All of a route but its handler. */
export interface RouteEntry {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** In Hono's notation, without the version. */
  readonly path: string;
  readonly access: Access;
  /** For the OpenAPI document. */
  readonly description: Description;
}

/**
 * A group of routes names its `Needs` where it begins. The table of all routes needs all of them.
 *
 * @typeParam Needs what the handler takes of the server; nothing unless it says so
 */
export interface Route<in Needs = unknown> extends RouteEntry {
  readonly handle: (call: Call, rt: Needs) => Promise<Answer>;
}

export interface Description {
  readonly summary: string;
  readonly query: z.ZodType;
  readonly body: DescribedBody | undefined;
  readonly answers: Replies;
}

export interface DescribedBody {
  /** The schema of its media. */
  readonly type: string;
  /** The schema of a JSON document. */
  readonly document: z.ZodType | undefined;
}

/**
 * Turns a received document into what its handler takes, where the schema alone does not define it.
 */
export interface Reader<Body> {
  /** The schema of the document, for the OpenAPI document. */
  readonly schema: z.ZodType;
  /** @throws A3sError `invalid-argument`, `unsupported-option` */
  readonly read: (
    document: unknown,
    query: Readonly<Record<string, unknown>>,
  ) => Body | Promise<Body>;
}

type BodyOf<B> = B extends z.ZodType ? z.output<B> : B extends Reader<infer Body> ? Body : never;

interface Definition<Q extends z.ZodObject, R extends Replies> {
  readonly access: Access;
  /** A summary in one line. */
  readonly summary: string;
  readonly query: Q;
  readonly answers: R;
}

/** A route whose body is one JSON document, or none. */
export function route<
  Q extends z.ZodObject,
  B extends z.ZodType | Reader<unknown>,
  R extends Replies,
  Needs,
>(
  method: Route['method'],
  path: string,
  definition: Definition<Q, R> & {
    readonly body: B;
    /** Most bytes of the body. */
    readonly limit?: number;
    readonly handler: (
      request: Request<z.output<Q>, BodyOf<B>>,
      rt: Needs,
    ) => Promise<AnswerOf<R>> | AnswerOf<R>;
  },
): Route<Needs> {
  const { access, handler, query: querySchema, limit = MAX_JSON } = definition;
  const { schema, read } = readerOf(definition.body);
  const handle = async (call: Call, rt: Needs): Promise<Answer> => {
    const query = parseRequest(querySchema, queryRecord(call.query));
    const body = await read(await readJson(call.body, limit), query);
    return await handler({ ...call, query, body, id: call.params['id'] ?? '' }, rt);
  };
  const body =
    schema instanceof z.ZodUnknown ? undefined : { type: 'application/json', document: schema };
  return { method, path, access, handle, description: describe(definition, body) };
}

function readerOf<B extends z.ZodType | Reader<unknown>>(body: B): Reader<BodyOf<B>>;
function readerOf(body: z.ZodType | Reader<unknown>): Reader<unknown> {
  if (!(body instanceof z.ZodType)) return body;
  return { schema: body, read: (document) => parseRequest(body, document) };
}

/** A route whose body is a stream of bytes: an archive, or a process's input. */
export function streamRoute<Q extends z.ZodObject, R extends Replies, Needs>(
  method: Route['method'],
  path: string,
  definition: Definition<Q, R> & {
    /** Media type of the body; absent where no body is read. */
    readonly upload?: string;
    readonly handler: (
      request: Request<z.output<Q>, AsyncIterable<Uint8Array>>,
      rt: Needs,
    ) => Promise<AnswerOf<R>> | AnswerOf<R>;
  },
): Route<Needs> {
  const { access, handler, query: querySchema, upload } = definition;
  const handle = async (call: Call, rt: Needs): Promise<Answer> => {
    const query = parseRequest(querySchema, queryRecord(call.query));
    const body = readStream(call.body);
    return await handler({ ...call, query, body, id: call.params['id'] ?? '' }, rt);
  };
  const body = upload === undefined ? undefined : { type: upload, document: undefined };
  return { method, path, access, handle, description: describe(definition, body) };
}

function describe<Q extends z.ZodObject, R extends Replies>(
  { summary, query, answers }: Definition<Q, R>,
  body: DescribedBody | undefined,
): Description {
  return { summary, query, body, answers };
}

/** A repeated parameter becomes a list, which a schema for one value refuses. */
function queryRecord(query: URLSearchParams): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null);
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key);
    record[key] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return record;
}
