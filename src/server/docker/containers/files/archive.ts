/**
 * Copies files of a box, as archives.
 *
 * @module
 */
import * as z from 'zod';
import { type CopyHost, readFiles, statFile, writeFiles } from '../../../../boxes/files/copy.ts';
import type { Runtime } from '../../../../boxes/runtime.ts';
import { PATH_STAT_HEADER, type PathStat } from '../../../../docker-api/containers/path-stat.ts';
import type { FileStat } from '../../../../guest/protocol.ts';
import { bodiless, empty, stream } from '../../../http/answer.ts';
import { bytesOf, EMPTY } from '../../../http/replies.ts';
import { type Route, route, streamRoute } from '../../../http/route.ts';
import { dropUpload } from '../../images/refused-upload.ts';
import { flag, noBody, query } from '../../query.ts';
import { logged } from '../../streamed.ts';

const access = 'owner';
const ARCHIVE = 'application/x-tar';

/** In Docker's words. */
const path = z
  .string()
  .max(4096)
  .default('')
  .transform((text, context) => {
    if (text !== '' && !text.includes('\0')) return text;
    const message = text === '' ? 'bad parameter: path cannot be empty' : 'path has a NUL';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

export const ARCHIVE_ROUTES: readonly Route<CopyHost & Pick<Runtime, 'log'>>[] = [
  route('GET', '/containers/:id/archive', {
    access,
    summary: 'Get an archive of a path of a box; HEAD describes the path in a header',
    answers: { 200: bytesOf(ARCHIVE) },
    query: query({ path }),
    body: noBody,
    handler: async ({ id, query, signal, head }, rt) => {
      const box = rt.store.resolve(id);
      if (head) {
        const stat = await statFile(rt, box, query.path, signal);
        return { ...bodiless(ARCHIVE), headers: headersOf(stat) };
      }
      const { stat, archive } = await readFiles(rt, box, query.path, signal);
      return {
        ...stream(logged(rt, 'files could not be copied', archive), ARCHIVE),
        headers: headersOf(stat),
      };
    },
  }),
  streamRoute('PUT', '/containers/:id/archive', {
    access,
    summary: 'Extract an archive into a directory of a box',
    upload: ARCHIVE,
    answers: { 200: EMPTY },
    query: query({ path, noOverwriteDirNonDir: flag, copyUIDGID: flag }),
    handler: async ({ id, query, signal, body }, rt) => {
      try {
        const { path, noOverwriteDirNonDir: keepKinds, copyUIDGID: ofUser } = query;
        const box = rt.store.resolve(id);
        await writeFiles(rt, box, { path, keepKinds, ofUser }, body, signal);
        return empty(200);
      } catch (error) {
        await dropUpload(body);
        throw error;
      }
    },
  }),
];

/** The header that describes a path. All of it comes from the guest, so it is encoded whole. */
function headersOf(stat: FileStat): Readonly<Record<string, string>> {
  const { name, size, mode, linkTarget } = stat;
  const document: PathStat = { name, size, mode, mtime: timeOf(stat), linkTarget };
  return { [PATH_STAT_HEADER]: Buffer.from(JSON.stringify(document)).toString('base64') };
}

/** The years that RFC 3339 can write. */
const YEARS = { first: -62_135_596_800, last: 253_402_300_799 };

/** As Go writes it: without trailing zeros. */
function timeOf({ mtime, nanoseconds }: FileStat): string {
  const seconds = Math.min(Math.max(mtime, YEARS.first), YEARS.last);
  const whole = new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length);
  const fraction = String(nanoseconds).padStart(9, '0').replace(/0+$/, '');
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`;
}
