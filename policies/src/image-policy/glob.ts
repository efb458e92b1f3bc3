/**
 * Patterns of names: `*` is any run of characters without a slash, `**` any run at all, also an
 * empty one. Every other character matches itself, and a pattern matches the whole name.
 *
 * They are deliberately no regular expressions: those easily match more than was meant (a dot, a
 * missing anchor), and some take exponential time. Here time is bounded by the length of the name
 * times the length of the pattern.
 *
 * @module
 */

/** A literal character, or one of the wildcards. */
type Token = string;

const STAR = '*';
const STARS = '**';

/** Whether a pattern matches all of a text. */
export function matchesGlob(pattern: string, text: string): boolean {
  return accepts(tokensOf(pattern), text.split(''));
}

/**
 * Whether one pattern certainly matches all that another matches.
 *
 * In doubt the answer is no: an equality that only several wildcards together show is not detected.
 */
export function globCovers(wider: string, narrower: string): boolean {
  return accepts(tokensOf(wider), tokensOf(narrower));
}

/** Whether it has two wildcards where one suffices: `***`, or `**` beside `*`. */
export function hasTangledStars(pattern: string): boolean {
  return pattern.includes('***');
}

function tokensOf(pattern: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const isDouble = pattern.startsWith(STARS, at);
    tokens.push(isDouble ? STARS : pattern.charAt(at));
    if (isDouble) at += 1;
  }
  return tokens;
}

/**
 * Follows all paths through the pattern at once. A wildcard among the symbols matches only a
 * wildcard that is at least as wide, so that a pattern can be matched like a text.
 */
function accepts(pattern: readonly Token[], symbols: readonly Token[]): boolean {
  let reached = skipWildcards(pattern, new Set([0]));
  for (const symbol of symbols) {
    const next = new Set<number>();
    for (const position of reached) {
      const token = pattern[position];
      if (token === undefined) continue;
      if (swallows(token, symbol)) next.add(position);
      else if (token === symbol) next.add(position + 1);
    }
    if (next.size === 0) return false;
    reached = skipWildcards(pattern, next);
  }
  return reached.has(pattern.length);
}

function swallows(token: Token, symbol: Token): boolean {
  if (token === STARS) return true;
  return token === STAR && symbol !== '/' && symbol !== STARS;
}

/** A wildcard may match the empty text. */
function skipWildcards(pattern: readonly Token[], positions: Set<number>): ReadonlySet<number> {
  // Entries that are added while iterating are visited as well.
  for (const position of positions) {
    const token = pattern[position];
    if (token === STAR || token === STARS) positions.add(position + 1);
  }
  return positions;
}
