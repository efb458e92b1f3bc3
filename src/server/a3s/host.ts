/**
 * `GET /a3s/v1/host`: what this host can do, and why not where it cannot.
 *
 * @module
 */
import { geteuid } from 'node:process';
import { cellWalls } from '../../cell/spawn.ts';
import { reportKrun } from '../../engine/krun/report.ts';
import { noBody, query } from '../docker/query.ts';
import { json } from '../http/answer.ts';
import { type Route, route } from '../route.ts';

export const HOST_ROUTES: readonly Route[] = [
  route('GET', '/a3s/v1/host', {
    access: 'owner',
    query: query({}),
    body: noBody,
    handler: async ({ rt }) =>
      json({
        engines: [await rt.engine.report(), await reportKrun()],
        cell: await cellWalls(),
        root: geteuid?.() === 0,
        home: rt.home,
      }),
  }),
];
