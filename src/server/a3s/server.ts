/**
 * `POST /a3s/v1/server/stop`: ends this server. Boxes run on, and the next server finds them.
 *
 * @module
 */
import { noBody, query } from '../docker/query.ts';
import { empty } from '../http/answer.ts';
import { EMPTY } from '../http/replies.ts';
import { type Route, route } from '../http/route.ts';

export interface ServerHost {
  /** Ends the server once the present request is answered. */
  readonly stopServer: () => void;
}

export const SERVER_ROUTES: readonly Route<ServerHost>[] = [
  route('POST', '/a3s/v1/server/stop', {
    access: 'owner',
    summary: 'Stop this server; boxes keep running',
    answers: { 202: EMPTY },
    query: query({}),
    body: noBody,
    handler: (_, { stopServer }) => {
      stopServer();
      return empty(202);
    },
  }),
];
