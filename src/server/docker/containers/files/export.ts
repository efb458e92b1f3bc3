/**
 * Exports the root of a box.
 *
 * @module
 */
import { type CopyHost, exportFiles } from '../../../../boxes/files/copy.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { bodiless, stream } from '../../../http/answer.ts';
import { bytesOf } from '../../../http/replies.ts';
import { type Route, route } from '../../../http/route.ts';
import { noBody, query } from '../../query.ts';
import { logged } from '../../streamed.ts';

const access = 'owner';
const BYTES = 'application/octet-stream';

export const EXPORT_ROUTES: readonly Route<CopyHost & Pick<Runtime, 'log'>>[] = [
  route('GET', '/containers/:id/export', {
    access,
    summary: 'Export the root of a box as an archive, without its mounts',
    answers: { 200: bytesOf(BYTES) },
    query: query({}),
    body: noBody,
    handler: async ({ id, signal, head }, rt) => {
      const box = rt.store.resolve(id);
      if (head) return bodiless(BYTES);
      const archive = await exportFiles(rt, box, signal);
      return stream(logged(rt, 'a box could not be exported', archive), BYTES);
    },
  }),
];
