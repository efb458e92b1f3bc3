/**
 * Attaches a client to the streams of a box.
 *
 * @module
 */
import * as z from 'zod';
import { type AttachHost, attachBox, attachPoint } from '../../../../boxes/verbs/attach.ts';
import { webSocketAccept } from '../../../../web-socket/handshake.ts';
import { drop } from '../../../http/connection.ts';
import { RAW_STREAM } from '../../../http/frames.ts';
import { HIJACK } from '../../../http/replies.ts';
import { type Route, streamRoute } from '../../../http/route.ts';
import { flag, query } from '../../query.ts';
import { parseDetachKeys } from './detach-keys.ts';

const access = 'owner';

/** Docker's API version from which a WebSocket has the streams that its request names. */
const CHOOSES_STREAMS_SINCE = 42;

const streams = query({
  ...{ stdin: flag, stdout: flag, stderr: flag, logs: flag, stream: flag },
  detachKeys: z.string().max(256).optional(),
});

export const ATTACH_ROUTES: readonly Route<AttachHost>[] = [
  // The body is not read as a document: where the client does not upgrade, it is the box's input.
  streamRoute('POST', '/containers/:id/attach', {
    access,
    summary: 'Attach to the streams of a box',
    upload: RAW_STREAM,
    answers: { 101: HIJACK },
    query: streams,
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
  streamRoute('GET', '/containers/:id/attach/ws', {
    access,
    summary: 'Attach to the streams of a box over a WebSocket',
    answers: { 101: HIJACK },
    query: streams,
    handler: async ({ id, query, headers, apiVersion }, rt) => {
      const { definition } = rt.store.resolve(id);
      const webSocket = webSocketAccept(headers);
      const all = apiVersion < CHOOSES_STREAMS_SINCE;
      const options = {
        ...query,
        ...(all ? { stdin: true, stdout: true, stderr: true } : {}),
        detachKeys: parseDetachKeys(query.detachKeys),
      };
      const point = await attachPoint(rt, definition.id, options);
      return {
        kind: 'hijack' as const,
        // As in Docker: messages name no stream.
        multiplexed: false,
        webSocket,
        serve: async (client) => {
          const fed = options.stdin && options.stream && definition.openStdin;
          if (!fed) void drop(client.input);
          await attachBox(rt, definition.id, point, options, client);
        },
      };
    },
  }),
];
