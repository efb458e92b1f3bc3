/**
 * Checks answers against the table of routes, for tests.
 *
 * @module
 */
import * as z from 'zod';
import { Problem } from '../../docker-api/problem.ts';
import type { Reply } from '../http/replies.ts';
import type { RouteEntry } from '../http/route.ts';
import { ROUTES } from '../routes.ts';
import { splitVersion } from '../version.ts';

interface Received {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
}

/** @throws Error where the route does not describe the answer */
export function expectDescribed(method: string, url: string, answer: Received): void {
  const path = splitVersion(url.split('?')[0] ?? '')?.path ?? '';
  const route = ROUTES.find((each) => each.method === method && pattern(each).test(path));
  const what = `${method} ${path}: ${answer.status}`;
  if (method === 'HEAD') return;
  const answers = route?.description.answers ?? {};
  try {
    if (answer.status >= 400) Problem.parse(JSON.parse(answer.text));
    // A client that does not upgrade gets the connection as well.
    else if (answer.status !== 200 || !isHijack(answers[101]))
      check(answers[answer.status], answer);
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new Error(`${what} is not what the route is described with:\n${why}`, { cause });
  }
}

function isHijack(reply: Reply | undefined): boolean {
  return reply !== undefined && 'kind' in reply && reply.kind === 'hijack';
}

function check(reply: Reply | undefined, { text, type = '' }: Received): void {
  if (reply === undefined) throw new Error('it has no such answer');
  if (!('kind' in reply)) {
    reply.parse(JSON.parse(text));
    return;
  }
  switch (reply.kind) {
    case 'empty':
      if (text !== '') throw new Error(`it has no document, but ${text}`);
      return;
    case 'stream': {
      if (!reply.types.includes(type)) throw new Error(`it is no ${type}`);
      const { line } = reply;
      if (line === undefined) return;
      for (const each of text.split(/\r?\n/)) if (each !== '') line.parse(JSON.parse(each));
      return;
    }
  }
}

const patterns = new Map<RouteEntry, RegExp>();

/** Hono's notation: `:name` is a part of the path, `:name{.+}` any number of them. */
function pattern(route: RouteEntry): RegExp {
  const known = patterns.get(route);
  if (known !== undefined) return known;
  const source = route.path.replace(/:\w+(\{\.\+\})?/g, (_, many) => (many ? '.+' : '[^/]+'));
  const made = new RegExp(`^${source}$`);
  patterns.set(route, made);
  return made;
}
