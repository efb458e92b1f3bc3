/**
 * Parses the challenges of a server: `WWW-Authenticate` (RFC 9110, 11.6.1).
 *
 * @module
 */

export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** By name in lower case. Empty where the scheme has a token68, or nothing. */
  readonly parameters: ReadonlyMap<string, string>;
}

const MAX_LENGTH = 8 * 1024;
const MAX_CHALLENGES = 16;
const MAX_PARAMETERS = 32;

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const SPACE = /[ \t]*/y;
const COMMAS = /[ \t,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\uffff]|\\[\t\x20-\x7e\x80-\uffff])*)"/y;

/**
 * The challenges of a field, several lines of it joined by commas; undefined when the syntax is
 * wrong.
 */
export function parseChallenges(field: string): readonly Challenge[] | undefined {
  if (field.length > MAX_LENGTH) return undefined;
  const reader = new Reader(field);
  const challenges: Challenge[] = [];
  reader.take(COMMAS);
  while (!reader.atEnd) {
    const scheme = reader.take(TOKEN);
    if (scheme === undefined || challenges.length === MAX_CHALLENGES) return undefined;
    const parameters = new Map<string, string>();
    const spaced = reader.take(SPACE) !== '';
    if (spaced && !readParameters(reader, parameters)) return undefined;
    if (!reader.atEnd && !reader.separated) return undefined;
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    reader.take(COMMAS);
  }
  return challenges;
}

/**
 * Reads the parameters or token68 of a scheme, and stops before the next scheme. False for bad
 * syntax.
 */
function readParameters(reader: Reader, parameters: Map<string, string>): boolean {
  for (;;) {
    const start = reader.position;
    const name = reader.take(TOKEN)?.toLowerCase();
    if (name === undefined || reader.take(EQUALS) === undefined) {
      // Either the next scheme, or a token68, which only ever stands alone.
      reader.position = start;
      if (parameters.size > 0 || reader.atEnd || reader.next === ',') return true;
      return reader.take(TOKEN68) !== undefined;
    }
    const value = reader.take(QUOTED)?.slice(1, -1).replace(/\\(.)/g, '$1') ?? reader.take(TOKEN);
    if (value === undefined) {
      // `abc=` is a token68 as well.
      reader.position = start;
      return parameters.size === 0 && reader.take(TOKEN68) !== undefined;
    }
    if (parameters.has(name) || parameters.size === MAX_PARAMETERS) return false;
    parameters.set(name, value);
    reader.take(SPACE);
    if (reader.atEnd) return true;
    if (reader.next !== ',') return false;
    reader.take(COMMAS);
  }
}

class Reader {
  readonly #text: string;
  position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.position >= this.#text.length;
  }

  get next(): string {
    return this.#text.charAt(this.position);
  }

  /** Whether a comma stands here, or was just passed. */
  get separated(): boolean {
    if (this.next === ',') return true;
    return this.#text.slice(0, this.position).trimEnd().endsWith(',');
  }

  /** @param pattern sticky */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.position += found.length;
    return found;
  }
}
