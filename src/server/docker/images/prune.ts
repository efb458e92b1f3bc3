/**
 * `docker image prune`.
 *
 * @module
 */
import { heldImages } from '../../../boxes/record/mounted-images.ts';
import type { Runtime } from '../../../boxes/runtime.ts';
import { ImagesPruned } from '../../../docker-api/prune.ts';
import { A3sError } from '../../../errors.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { filterFlag, filters, matchesLabels } from '../filters.ts';
import { parsePruneTime } from '../prune-time.ts';
import { noBody, query } from '../query.ts';

const access = 'owner';

const FILTERS = ['dangling', 'until', 'label', 'label!'] as const;

export const IMAGE_PRUNE_ROUTES: readonly Route<
  Pick<Runtime, 'store' | 'pods' | 'images' | 'events'>
>[] = [
  route('POST', '/images/prune', {
    access,
    summary: 'Remove unused images',
    answers: { 200: ImagesPruned },
    query: query({ filters: filters(FILTERS) }),
    body: noBody,
    handler: async ({ query }, rt) => {
      const { dangling = ['true'], until } = query.filters;
      const { removed, reclaimed } = await rt.images.prune({
        danglingOnly: filterFlag('dangling', dangling),
        until: untilOf(until),
        matches: (labels) => matchesLabels(labels, query.filters),
        inUse: () => heldImages(rt),
      });
      for (const { id, untagged } of removed) {
        for (const name of untagged) rt.events.publish('image', 'untag', name, { name });
        rt.events.publish('image', 'delete', id, { name: id });
      }
      rt.events.publish('image', 'prune', '', { reclaimed: String(reclaimed) });
      return json({
        ImagesDeleted: removed.flatMap(({ id, untagged, layers }) => [
          ...untagged.map((name) => ({ Untagged: name })),
          ...[id, ...layers].map((each) => ({ Deleted: each })),
        ]),
        SpaceReclaimed: reclaimed,
      });
    },
  }),
];

/** Milliseconds since 1970. @throws A3sError `invalid-argument` */
export function untilOf(values: readonly string[] = []): number | undefined {
  const [text, ...others] = values;
  if (text === undefined) return undefined;
  if (others.length === 0) return parsePruneTime(text, Date.now());
  throw new A3sError('invalid-argument', 'the filter until may be given once');
}
