/**
 * The headers that a proxy passes on.
 *
 * @module
 */

/** Of one connection. Node's own code has said `100 Continue` by then. */
const OF_CONNECTION =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|http2-settings|expect)$/;

/** They say where a message ends and whom it is for, whatever `Connection` names. */
const OF_MESSAGE: readonly string[] = ['content-length', 'host'];

/**
 * Leaves out what is about one connection, by the names of HTTP and by those that the headers name
 * as such: it is not about the connection behind the proxy.
 */
export function endToEnd(
  headers: NodeJS.Dict<string | string[]>,
): Record<string, string | string[]> {
  const named = namedByConnection(headers).filter((name) => !OF_MESSAGE.includes(name));
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || OF_CONNECTION.test(name) || named.includes(name)) continue;
    kept[name] = value;
  }
  return kept;
}

/** The headers that `Connection` names, in lower case. */
export function namedByConnection(headers: NodeJS.Dict<string | string[]>): readonly string[] {
  return [headers['connection'] ?? []]
    .flat()
    .join(',')
    .toLowerCase()
    .split(/[\s,]+/);
}
