/**
 * Finds repeated members of a JSON object, which `JSON.parse` hides.
 *
 * @module
 */
import { endOfString } from './json-strings.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/**
 * The unescaped name of a member that an object has twice: `"\u0061"` is `"a"`. Undefined where no
 * member is repeated.
 *
 * @param text what `JSON.parse` accepts
 */
export function repeatedMember(text: string): string | undefined {
  /** The names of each open object; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case OPEN_OBJECT:
        open.push(new Set());
        isName = true;
        break;
      case OPEN_ARRAY:
        open.push(undefined);
        isName = false;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop();
        isName = false;
        break;
      case COMMA:
        isName = open.at(-1) !== undefined;
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        const names = open.at(-1);
        if (isName && names !== undefined) {
          const name = nameIn(text.slice(at, end + 1));
          if (names.has(name)) return name;
          names.add(name);
          isName = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
  return undefined;
}

function nameIn(quoted: string): string {
  return quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
}
