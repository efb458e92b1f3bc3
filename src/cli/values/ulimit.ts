/**
 * `--ulimit NAME=SOFT[:HARD]`.
 *
 * @module
 */
import type { Ulimit } from '../../docker-api/containers/limits.ts';

/** Repeated here, so that the schema library is not loaded for it. */
export const ULIMIT_NAMES: readonly string[] = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

/** `-1` is unlimited. @throws RangeError in Docker's words */
export function parseUlimit(text: string): Ulimit {
  const [, Name, limits] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (Name === undefined || limits === undefined) {
    throw new RangeError(`invalid ulimit argument: ${text}`);
  }
  if (!ULIMIT_NAMES.includes(Name)) throw new RangeError(`invalid ulimit type: ${Name}`);
  const [soft = '', hard = soft, ...more] = limits.split(':');
  if (more.length > 0)
    throw new RangeError(
      `too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``,
    );
  const Soft = whole(soft);
  const Hard = whole(hard);
  if (Hard !== -1 && (Soft === -1 || Soft > Hard)) {
    throw new RangeError(
      `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`,
    );
  }
  return { Name, Soft, Hard };
}

function whole(text: string): number {
  if (/^(-1|\d{1,15})$/.test(text)) return Number(text);
  throw new RangeError(`a limit is a whole number, or -1: "${text}"`);
}
