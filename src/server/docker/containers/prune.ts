/**
 * `docker container prune`.
 *
 * @module
 */

import type { OrphanHost } from '../../../boxes/adopt/orphaned.ts';
import { writableLayerBytes } from '../../../boxes/disks/disk-usage.ts';
import type { Box } from '../../../boxes/record/box.ts';
import type { Runtime } from '../../../boxes/runtime.ts';
import { removeBox } from '../../../boxes/verbs/remove-box.ts';
import { ContainersPruned } from '../../../docker-api/prune.ts';
import { A3sError, ERRORS } from '../../../errors.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { type Filters, filters, matchesLabels } from '../filters.ts';
import { untilOf } from '../images/prune.ts';
import { noBody, query } from '../query.ts';

const FILTERS = ['until', 'label', 'label!'] as const;
type Wanted = Filters<(typeof FILTERS)[number]>;

export const CONTAINER_PRUNE_ROUTES: readonly Route<OrphanHost>[] = [
  route('POST', '/containers/prune', {
    access: 'owner',
    summary: 'Remove stopped boxes',
    answers: { 200: ContainersPruned },
    query: query({ filters: filters(FILTERS) }),
    body: noBody,
    handler: async ({ query }, rt) => {
      const removed: string[] = [];
      let reclaimed = 0;
      for (const { definition } of toPrune(rt, query.filters)) {
        const bytes = await writableLayerBytes(rt, definition.id);
        if (!(await removeStopped(rt, definition.id))) continue;
        removed.push(definition.id);
        reclaimed += bytes;
      }
      rt.events.publish('container', 'prune', '', { reclaimed: String(reclaimed) });
      return json({ ContainersDeleted: removed, SpaceReclaimed: reclaimed });
    },
  }),
];

/** Found out before the first is removed. @throws A3sError `invalid-argument` */
function toPrune({ store }: Pick<Runtime, 'store'>, wanted: Wanted): Box[] {
  const before = untilOf(wanted.until);
  return store.list().filter(({ definition: { createdAt, labels }, state }) => {
    const isOld = before === undefined || Date.parse(createdAt) < before;
    const isMeant = matchesLabels(labels, wanted);
    return isOld && isMeant && ['created', 'exited'].includes(state.status);
  });
}

/** One that somebody started, or removed, meanwhile is left to them. */
async function removeStopped(rt: OrphanHost, id: string): Promise<boolean> {
  try {
    await removeBox(rt, id, { force: false });
    return true;
  } catch (error) {
    if (error instanceof A3sError && ERRORS[error.code].taken === true) return false;
    throw error;
  }
}
