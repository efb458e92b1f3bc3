/**
 * Attaches a client to the streams of a box.
 *
 * @module
 */
import * as z from 'zod';
import { type AttachHost, attachBox, attachPoint } from '../../../../boxes/verbs/attach.ts';
import { RAW_STREAM } from '../../../http/frames.ts';
import { HIJACK } from '../../../http/replies.ts';
import { type Route, streamRoute } from '../../../http/route.ts';
import { flag, query } from '../../query.ts';
import { parseDetachKeys } from './detach-keys.ts';

const access = 'owner';

export const ATTACH_ROUTES: readonly Route<AttachHost>[] = [
  // The body is not read as a document: where the client does not upgrade, it is the box's input.
  streamRoute('POST', '/containers/:id/attach', {
    access,
    summary: 'Attach to the streams of a box',
    upload: RAW_STREAM,
    answers: { 101: HIJACK },
    query: query({
      ...{ stdin: flag, stdout: flag, stderr: flag, logs: flag, stream: flag },
      detachKeys: z.string().max(256).optional(),
    }),
    handler: async ({ id, query }, rt) => {
      const { definition } = rt.store.resolve(id);
      const options = { ...query, detachKeys: parseDetachKeys(query.detachKeys) };
      const point = await attachPoint(rt, definition.id, options);
      return {
        kind: 'hijack' as const,
        multiplexed: !definition.terminal,
        byLine: true,
        serve: (client) => attachBox(rt, definition.id, point, options, client),
      };
    },
  }),
];
