/**
 * A registry that keeps one upload in memory, for tests.
 *
 * @module
 */
import type { Answer } from './fault-registry.ts';

/** Where an upload continues once it has started. */
export const UPLOAD = '/v2/team/app/blobs/uploads/1?_state=a%3D%3D&x=%2F+y';

/** A registry that keeps its uploads in memory, and a way to disturb it. */
export function memoryRegistry(disturb: Partial<Record<string, Answer>> = {}) {
  const state = { data: Buffer.alloc(0), done: undefined as Buffer | undefined, uploads: 0 };
  const counts: Record<string, number> = {};
  const answer: Answer = async (request, response) => {
    const { method } = request;
    const count = counts[method] ?? 0;
    counts[method] = count + 1;
    const disturbed = disturb[`${method} ${count}`] ?? disturb[method];
    if (disturbed !== undefined) {
      await disturbed(request, response, count);
      if (response.headersSent || response.destroyed) return;
    }
    const range = { range: `0-${Math.max(state.data.length - 1, 0)}`, location: UPLOAD };
    switch (method) {
      case 'HEAD':
        response.writeHead(state.done === undefined ? 404 : 200).end();
        return;
      case 'POST':
        state.uploads += 1;
        state.data = Buffer.alloc(0);
        response.writeHead(202, { location: UPLOAD }).end();
        return;
      case 'GET':
        response.writeHead(204, range).end();
        return;
      case 'PATCH': {
        const start = Number(/^(\d+)-/.exec(String(request.headers['content-range']))?.[1]);
        if (start !== state.data.length) {
          response.writeHead(416, range).end();
          return;
        }
        state.data = Buffer.concat([state.data, await request.body()]);
        response.writeHead(202, { ...range, range: `0-${state.data.length - 1}` }).end();
        return;
      }
      case 'PUT':
        state.done = Buffer.concat([state.data, await request.body()]);
        response.writeHead(201).end();
        return;
      default:
        response.writeHead(204).end();
    }
  };
  return { state, answer };
}
