/**
 * Finds members that a JSON object has twice, which `JSON.parse` hides.
 *
 * @module
 */

/** A string, or one of the characters that nesting is made of; everything between them means nothing here. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/gsu;

/**
 * The name of a member that an object has twice, as it is meant: `"\u0061"` is `"a"`. Undefined where there is none.
 *
 * @param text what `JSON.parse` accepts
 */
export function repeatedMember(text: string): string | undefined {
  /** The names of each open object; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (const [token] of text.matchAll(TOKEN)) {
    const names = open.at(-1);
    switch (token) {
      case '{':
      case '[':
        open.push(token === '{' ? new Set() : undefined);
        isName = token === '{';
        break;
      case '}':
      case ']':
        open.pop();
        isName = false;
        break;
      case ',':
        isName = names !== undefined;
        break;
      default: {
        if (!isName || names === undefined) break;
        const name = String(JSON.parse(token));
        if (names.has(name)) return name;
        names.add(name);
        isName = false;
      }
    }
  }
  return undefined;
}
