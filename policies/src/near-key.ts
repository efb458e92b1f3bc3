/**
 * Guesses the intended key for a misspelt one.
 *
 * @module
 */

/** Keys are compared by at most this many characters: a key of the document may have any length. */
const LONGEST = 64;

/** The known key that is nearest to an unknown one; undefined where none is near. */
export function nearKey(key: string, known: readonly string[]): string | undefined {
  if (key.length > LONGEST) return undefined;
  const word = plain(key);
  const reach = 1 + Math.floor(word.length / 6);
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const distance = distanceOf(word, plain(name));
    if (distance <= reach && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** `min_guest_svn` and `MinGuestSVN` are spellings, not misspellings, of `minGuestSvn`. */
function plain(key: string): string {
  return key.replace(/[_-]/g, '').toLowerCase();
}

/** A prefix counts like one typing error. */
function distanceOf(word: string, name: string): number {
  return word.length > 3 && name.startsWith(word) && word !== name ? 1 : editDistance(word, name);
}

/** Least number of characters to put in, take out or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const character of from) {
    const next = [Number(row[0]) + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = Number(row[column - 1]) + (character === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, Number(row[column]) + 1, Number(next[column - 1]) + 1));
    }
    row = next;
  }
  return Number(row[to.length]);
}
