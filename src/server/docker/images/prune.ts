/**
 * `docker image prune`.
 *
 * @module
 */
import { ImagesPruned } from '../../../docker-api/prune.ts';
import { A3sError } from '../../../errors.ts';
import { json } from '../../http/answer.ts';
import { type Route, route } from '../../http/route.ts';
import { filters, matchesLabel } from '../filters.ts';
import { parsePruneTime } from '../prune-time.ts';
import { noBody, query } from '../query.ts';

const access = 'owner';

const FILTERS = ['dangling', 'until', 'label', 'label!'] as const;

export const IMAGE_PRUNE_ROUTES: readonly Route[] = [
  route('POST', '/images/prune', {
    access,
    summary: 'Removes images that nothing uses',
    answers: { 200: ImagesPruned },
    query: query({ filters: filters(FILTERS) }),
    body: noBody,
    handler: async ({ rt, query }) => {
      const { dangling, until, label = [], 'label!': notLabel } = query.filters;
      const { removed, reclaimed } = await rt.images.prune({
        danglingOnly: isDangling(dangling),
        until: untilOf(until),
        matches: (labels) =>
          label.every((each) => matchesLabel(labels, each)) &&
          !(notLabel?.every((each) => matchesLabel(labels, each)) ?? false),
        inUse: () => new Set(rt.store.list().map(({ definition }) => definition.image.id)),
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

function isDangling(values: readonly string[] = ['true']): boolean {
  const [value = '', ...others] = values;
  if (others.length === 0 && ['true', '1'].includes(value)) return true;
  if (others.length === 0 && ['false', '0'].includes(value)) return false;
  throw new A3sError(
    'invalid-argument',
    `invalid filter 'dangling=${values.join(',').slice(0, 64)}'`,
    {
      remedy: 'It is true or false.',
    },
  );
}

/** Milliseconds since 1970. @throws A3sError `invalid-argument` */
export function untilOf(values: readonly string[] = []): number | undefined {
  const [text, ...others] = values;
  if (text === undefined) return undefined;
  if (others.length === 0) return parsePruneTime(text, Date.now());
  throw new A3sError('invalid-argument', 'the filter until may be given once');
}
