/**
 * Shows the output of a box.
 *
 * @module
 */
import * as z from 'zod';
import { followBox } from '../../../../boxes/logs/follow-box.ts';
import { logDetails } from '../../../../boxes/logs/log-details.ts';
import { type LogChunk, readLogs } from '../../../../boxes/logs/logs.ts';
import { expectKept } from '../../../../boxes/output/keeps-output.ts';
import { expectPermission } from '../../../../boxes/record/host-may.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { A3sError } from '../../../../errors.ts';
import { stream } from '../../../http/answer.ts';
import { MULTIPLEXED_STREAM, NAMES_FRAMING_SINCE, RAW_STREAM } from '../../../http/frames.ts';
import { logFrames } from '../../../http/log-frames.ts';
import { bytesOf } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { flag, noBody, optionalTime, query } from '../../query.ts';

const access = 'owner';

export const LOGS_ROUTES: readonly Route<Pick<Runtime, 'store' | 'outputs'>>[] = [
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
];

async function* raw(chunks: AsyncIterable<LogChunk>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of chunks) yield bytes;
}

/** As in Docker, anything but a number means all lines. */
function tailOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
