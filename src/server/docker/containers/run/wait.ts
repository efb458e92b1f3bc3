/**
 * `POST /containers/{id}/wait`.
 *
 * @module
 */
import * as z from 'zod';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { type Ending, waitBox } from '../../../../boxes/verbs/wait.ts';
import { Waited } from '../../../../docker-api/containers/wait.ts';
import { stream } from '../../../http/answer.ts';
import { documentsOf } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, query } from '../../query.ts';

export const WAIT_ROUTES: readonly Route<Pick<Runtime, 'store'>>[] = [
  route('POST', '/containers/:id/wait', {
    access: 'owner',
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
];

async function* waitDocument(ending: Promise<Ending>): AsyncGenerator<Uint8Array> {
  const { exitCode, error } = await ending;
  const document: Waited = {
    StatusCode: exitCode,
    ...(error === '' ? {} : { Error: { Message: error } }),
  };
  yield Buffer.from(`${JSON.stringify(document)}\n`);
}
