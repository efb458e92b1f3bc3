/**
 * What a path of a box is, as the server describes it in a header.
 *
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { PathStat } from '../../docker-api/containers/path-stat.ts';
import { A3sError } from '../../errors.ts';
import { type Client, segment } from '../client/client.ts';
import { numberOf, objectOf, stringOf } from '../client/json.ts';

const HEADER = 'x-docker-container-path-stat';

export interface BoxPath {
  readonly box: string;
  readonly path: string;
}

export interface FoundPath {
  readonly isDirectory: boolean;
  /** Neither a directory nor a regular file, nor a link. */
  readonly isSpecial: boolean;
  /** Where a symbolic link leads; undefined for anything else. */
  readonly link: string | undefined;
}

/** Bits of Go's `fs.FileMode`. */
const DIRECTORY = 2 ** 31;
const SYMLINK = 2 ** 27;
const OTHER_KINDS = [2 ** 26, 2 ** 25, 2 ** 24, 2 ** 21, 2 ** 19];

/** Undefined where the path cannot be described; the copy itself reports why, if it fails. */
export async function statBoxPath(
  client: Client,
  { box, path }: BoxPath,
  signal: AbortSignal,
): Promise<FoundPath | undefined> {
  const call = { path: `/containers/${segment(box)}/archive`, query: { path }, signal };
  try {
    const response = await client.stream({ method: 'HEAD', ...call });
    response.resume();
    return statOfHeaders(response.headers);
  } catch (error) {
    if (!(error instanceof A3sError) || error.code === 'server-unreachable') throw error;
    return undefined;
  }
}

/** @throws A3sError `internal` for a header that is not one */
export function statOfHeaders(headers: IncomingHttpHeaders): FoundPath {
  const header = headers[HEADER];
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(String(header), 'base64').toString());
  } catch (cause) {
    throw new A3sError('internal', `The server's ${HEADER} is malformed`, { cause });
  }
  const { mode, linkTarget } = objectOf<PathStat>(document);
  const bits = numberOf(mode);
  const has = (bit: number): boolean => Math.floor(bits / bit) % 2 === 1;
  return {
    isDirectory: has(DIRECTORY),
    isSpecial: OTHER_KINDS.some(has),
    link: has(SYMLINK) ? stringOf(linkTarget) : undefined,
  };
}
