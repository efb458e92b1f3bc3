/**
 * `POST /a3s/v1/server/stop`: ends this server. Boxes run on, and the next server finds them.
 *
 * @module
 */
import { noBody, query } from '../docker/query.ts';
import { empty } from '../http/answer.ts';
import { EMPTY } from '../http/replies.ts';
import { type Route, route } from '../http/route.ts';

export const SERVER_ROUTES: readonly Route[] = [
  route('POST', '/a3s/v1/server/stop', {
    access: 'owner',
    summary: 'Stop this server; boxes keep running',
    answers: { 202: EMPTY },
    query: query({}),
    body: noBody,
    handler: ({ stopServer }) => {
      stopServer();
      return empty(202);
    },
  }),
];
