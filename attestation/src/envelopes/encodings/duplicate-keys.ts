/**
 * Finds names that an object of JSON text has twice. `JSON.parse` does not report them: the last
 * one wins there, and in other readers the first.
 *
 * @module
 */

/**
 * A name that some object has more than once, however it is escaped; undefined where none has.
 *
 * Takes time linear in the text, and no stack.
 *
 * @param json text that `JSON.parse` takes; any other is the caller's mistake.
 */
export function duplicateKey(json: string): string | undefined {
  const scope = new Scope();
  for (let at = 0; at < json.length; at += 1) {
    const character = json.charAt(at);
    if (character !== '"') {
      scope.enterOrLeave(character);
      continue;
    }
    const end = endOfString(json, at);
    const names = scope.takeNames();
    if (names !== undefined) {
      const name = String(JSON.parse(json.slice(at, end)));
      if (names.has(name)) return name;
      names.add(name);
    }
    at = end - 1;
  }
  return undefined;
}

/** Where a scan is among objects and arrays. */
class Scope {
  /** The names so far of each object around; undefined for an array. */
  readonly #open: (Set<string> | undefined)[] = [];
  /** Those of the innermost one, where its next name is to come. */
  #names: Set<string> | undefined;

  /** Goes past a character outside of strings. */
  enterOrLeave(character: string): void {
    if (character === '{' || character === '[') {
      this.#names = character === '{' ? new Set() : undefined;
      this.#open.push(this.#names);
    } else if (character === '}' || character === ']') {
      this.#open.pop();
      this.#names = undefined;
    } else if (character === ',') {
      this.#names = this.#open.at(-1);
    }
  }

  /** The names among which a string that comes now is one; undefined where it is a value. */
  takeNames(): Set<string> | undefined {
    const names = this.#names;
    this.#names = undefined;
    return names;
  }
}

/** Index behind the closing quotation mark of the string that starts there. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json.charAt(at) !== '"') at += json.charAt(at) === '\\' ? 2 : 1;
  return at + 1;
}
