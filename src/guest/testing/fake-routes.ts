/**
 * Which routes a fake agent has, by the version that was agreed on and the kind of its guest.
 *
 * @module
 */

/** The routes of guests that are copied; protocol 1 has none. */
const COPIES: ReadonlySet<string> = new Set([
  ...['/v1/prepare', '/v1/rehearse', '/v1/wake', '/v1/fork'],
  ...['/v1/freeze', '/v1/thaw'],
]);

/** What other requests wait for, besides the spec. */
const ORDERED: ReadonlySet<string> = new Set([
  ...COPIES,
  '/v1/processes',
  '/v1/processes/main/start',
]);

/** What a confidential guest does not have. */
const PLAIN: ReadonlySet<string> = new Set([
  ...['/v1/prepare', '/v1/rehearse', '/v1/wake', '/v1/fork'],
  ...['/v1/spec', '/v1/resources'],
]);

const SINCE_4 = /^\/v1\/(top|resources|processes\/[a-z0-9]+\/ended)$/;

const FILES = /^\/v1\/files(\/|$)/;

const SOCKETS = /^\/v1\/sockets\//;

const PODS = /^\/v1\/(pod|containers)$/;

const SHARES = /^\/v1\/shares\//;

const CONTAINER = /^\/v1\/containers\/[a-z0-9]+$/;

export function hasRoute(path: string, version: number, confidential: boolean): boolean {
  if (version === 1 && COPIES.has(path)) return false;
  if (version < 4 && SINCE_4.test(path)) return false;
  if (version < 7 && FILES.test(path)) return false;
  if (version < 9 && path === '/v1/networks') return false;
  if (version < 10 && SOCKETS.test(path)) return false;
  if (version < 12 && PODS.test(path)) return false;
  if (version < 8 && (SHARES.test(path) || path === '/v1/files/sync')) return false;
  if (path === '/v1/broker') return confidential && version >= 11;
  if (!confidential) return true;
  if (FILES.test(path) || SHARES.test(path) || SOCKETS.test(path)) return false;
  if (version < 18 && path === '/v1/networks') return false;
  return !PLAIN.has(path) && !(version < 4 && COPIES.has(path));
}

/** Whether later requests wait for this one. */
export function isOrdered(method: string, path: string): boolean {
  if (method === 'PUT')
    return (
      path === '/v1/spec' ||
      path === '/v1/pod' ||
      CONTAINER.test(path) ||
      path === '/v1/launch-spec'
    );
  return ORDERED.has(path);
}
