/**
 * The build arguments by which programs in steps find their proxy. Docker predefines them: they are
 * neither in the history of an image nor in the keys of the cache, unless a Dockerfile declares
 * them.
 *
 * @module
 */

/** Of BuildKit, before the name of each build argument. */
export const ARGUMENT = 'build-arg:';

const OF_STEPS = 'localhost,127.0.0.1,::1';
const PROXY = /^(?:http|https|ftp|all|no)_proxy$/i;

/** @param key of BuildKit */
export function isProxyArgument(key: string): boolean {
  return key.startsWith(ARGUMENT) && isProxyVariable(key.slice(ARGUMENT.length));
}

export function isProxyVariable(name: string): boolean {
  return PROXY.test(name);
}

/** Both spellings of each: programs read one of them. */
export function proxyArguments(stepProxy: string): Readonly<Record<string, string>> {
  const upper = { HTTP_PROXY: stepProxy, HTTPS_PROXY: stepProxy, NO_PROXY: OF_STEPS };
  const lower = Object.entries(upper).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...upper, ...Object.fromEntries(lower) };
}
