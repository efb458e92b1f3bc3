/**
 * The routes of a box's output and input.
 *
 * @module
 */
import * as z from 'zod';
import { followBox } from '../../../../boxes/logs/follow-box.ts';
import { logDetails } from '../../../../boxes/logs/log-details.ts';
import { type LogChunk, readLogs } from '../../../../boxes/logs/logs.ts';
import { expectKept } from '../../../../boxes/output/keeps-output.ts';
import { expectPermission } from '../../../../boxes/record/host-may.ts';
import { type AttachHost, attachBox, attachPoint } from '../../../../boxes/verbs/attach.ts';
import { A3sError } from '../../../../errors.ts';
import { stream } from '../../../http/answer.ts';
import { drop } from '../../../http/connection.ts';
import { MULTIPLEXED_STREAM, NAMES_FRAMING_SINCE, RAW_STREAM } from '../../../http/frames.ts';
import { logFrames } from '../../../http/log-frames.ts';
import { bytesOf, HIJACK } from '../../../http/replies.ts';
import { type Route, route, streamRoute } from '../../../http/route.ts';
import { webSocketAccept } from '../../../http/web-socket/handshake.ts';
import { flag, noBody, optionalTime, query } from '../../query.ts';
import { parseDetachKeys } from './detach-keys.ts';

const access = 'owner';

/** Docker's API version from which a WebSocket has the streams that its request names. */
const CHOOSES_STREAMS_SINCE = 42;

export const OUTPUT_ROUTES: readonly Route<AttachHost>[] = [
  route('GET', '/containers/:id/logs', {
    access,
    summary: 'Get the output of a box, and follow it',
    answers: { 200: bytesOf(RAW_STREAM, MULTIPLEXED_STREAM) },
    query: query({
      ...{ follow: flag, stdout: flag, stderr: flag, timestamps: flag, details: flag },
      ...{ since: optionalTime, until: optionalTime },
      tail: z
        .string()
        .max(16)
        .optional()
        .transform((text) => tailOf(text)),
    }),
    body: noBody,
    handler: ({ id, query, signal, apiVersion }, rt) => {
      const box = rt.store.resolve(id);
      expectPermission(box, 'show the output of', 'logs');
      const { definition } = box;
      const { follow, stdout, stderr } = query;
      if (!stdout && !stderr) {
        throw new A3sError(
          'invalid-argument',
          'Bad parameters: you must choose at least one stream',
        );
      }
      expectKept(box);
      const options = {
        ...query,
        following: follow ? followBox(rt, definition.id) : undefined,
        details: query.details ? logDetails(definition) : undefined,
      };
      const chunks = readLogs(rt.outputs.of(definition.id), options, signal);
      if (definition.terminal) return stream(raw(chunks), RAW_STREAM);
      const named = apiVersion >= NAMES_FRAMING_SINCE;
      return stream(logFrames(chunks, follow), named ? MULTIPLEXED_STREAM : RAW_STREAM);
    },
  }),
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
  streamRoute('GET', '/containers/:id/attach/ws', {
    access,
    summary: 'Attach to the streams of a box over a WebSocket',
    answers: { 101: HIJACK },
    query: query({
      ...{ stdin: flag, stdout: flag, stderr: flag, logs: flag, stream: flag },
      detachKeys: z.string().max(256).optional(),
    }),
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

async function* raw(chunks: AsyncIterable<LogChunk>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of chunks) yield bytes;
}

/** As in Docker, anything but a number means all lines. */
function tailOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
