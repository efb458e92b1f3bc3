/**
 * The route that shows the resources that a box uses: once, or every second.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Box } from '../../../../boxes/record/box.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { checkStats, statsOf } from '../../../../boxes/verbs/stats.ts';
import { ContainerStats } from '../../../../docker-api/containers/stats.ts';
import type { Stats } from '../../../../guest/protocol.ts';
import { stream } from '../../../http/answer.ts';
import { documentsOf } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { flag, noBody, query } from '../../query.ts';
import { statsDocument } from './stats-document.ts';

const INTERVAL_MS = 1000;

export const STATS_ROUTES: readonly Route<Pick<Runtime, 'store' | 'running'>>[] = [
  route('GET', '/containers/:id/stats', {
    access: 'owner',
    summary: 'Get the resource usage of a box, once or every second',
    answers: { 200: documentsOf(ContainerStats) },
    query: query({ stream: flag.prefault('1'), 'one-shot': flag }),
    body: noBody,
    handler: async ({ id, query, signal }, rt) => {
      const box = rt.store.resolve(id);
      checkStats(box);
      const boxId = box.definition.id;
      const first = await statsOf(rt, boxId, signal);
      if (query.stream) return stream(follow(rt, boxId, first, signal), 'application/json');
      if (query['one-shot'] || first === undefined) return once(box, first, undefined);
      // Two samples, so that a single request can compute a rate.
      await delay(INTERVAL_MS, undefined, { signal });
      const second = await statsOf(rt, boxId, signal);
      return once(rt.store.get(boxId) ?? box, second, second && first);
    },
  }),
];

function once(box: Box, stats: Stats | undefined, before: Stats | undefined) {
  return stream(lines(statsDocument(box, stats, before)), 'application/json');
}

async function* lines(document: ContainerStats): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(document)}\n`);
}

/**
 * Goes on until the client is gone or the box is removed: a stopped box may be started again. The
 * next sample waits for a slow client.
 */
async function* follow(
  rt: Pick<Runtime, 'store' | 'running'>,
  id: string,
  first: Stats | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let before: Stats | undefined;
  let now = first;
  for (;;) {
    const box: Box | undefined = rt.store.get(id);
    if (box === undefined) return;
    yield Buffer.from(`${JSON.stringify(statsDocument(box, now, now && before))}\n`);
    before = now;
    try {
      await delay(INTERVAL_MS, undefined, { signal });
      now = await statsOf(rt, id, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
  }
}
