/**
 * The headers that a proxy passes on.
 *
 * @module
 */

/** Of one connection. Node's own code has said `100 Continue` by then. */
const OF_CONNECTION =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|http2-settings|expect)$/;

/**
 * Leaves out what is about one connection, by the names of HTTP and by those that the headers name
 * as such: it is not about the connection behind the proxy.
 */
export function endToEnd(
  headers: NodeJS.Dict<string | string[]>,
): Record<string, string | string[]> {
  const named = [headers['connection'] ?? []]
    .flat()
    .join(',')
    .toLowerCase()
    .split(/[\s,]+/);
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || OF_CONNECTION.test(name) || named.includes(name)) continue;
    kept[name] = value;
  }
  return kept;
}
