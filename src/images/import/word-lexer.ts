/**
 * Splits Dockerfile text into words: quotes, backslashes, and variables that earlier instructions
 * set.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** Variables that hold variables double their length with every line. */
const MAX_EXPANDED = 64 * 1024;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/** Splits at white space outside quotes, and expands each word. */
export function splitWords(text: string, variables: ReadonlyMap<string, string>): string[] {
  return new WordLexer(text, variables).words();
}

/** All of the text as one word, white space included. */
export function expandText(text: string, variables: ReadonlyMap<string, string>): string {
  return new WordLexer(text, variables).whole();
}

class WordLexer {
  readonly #text: string;
  readonly #variables: ReadonlyMap<string, string>;
  #at = 0;
  /** Characters that came from the values of variables. */
  #expanded = 0;

  constructor(text: string, variables: ReadonlyMap<string, string>) {
    this.#text = text;
    this.#variables = variables;
  }

  words(): string[] {
    const words: string[] = [];
    for (;;) {
      while (isSpace(this.#text[this.#at])) this.#at += 1;
      if (this.#at >= this.#text.length) return words;
      words.push(this.#word(isSpace));
    }
  }

  whole(): string {
    return this.#word(() => false);
  }

  #word(ends: (character: string | undefined) => boolean): string {
    let word = '';
    while (this.#at < this.#text.length && !ends(this.#text[this.#at])) {
      const character = this.#text[this.#at] ?? '';
      if (character === "'") word += this.#singleQuoted();
      else if (character === '"') word += this.#doubleQuoted();
      else word += this.#plain();
    }
    return word;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw malformed(this.#text, 'a quote is not closed');
    const quoted = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return quoted;
  }

  #doubleQuoted(): string {
    let quoted = '';
    this.#at += 1;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw malformed(this.#text, 'a quote is not closed');
      if (character === '"') break;
      const next = this.#text[this.#at + 1] ?? '';
      // Within quotes a backslash is itself, except before these.
      if (character === '\\' && !['"', '$', '\\'].includes(next)) {
        quoted += character;
        this.#at += 1;
      } else quoted += this.#plain();
    }
    this.#at += 1;
    return quoted;
  }

  /** One character, an escaped one, or a variable. */
  #plain(): string {
    const character = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (character === '\\') {
      const escaped = this.#text[this.#at] ?? '';
      this.#at += 1;
      return escaped;
    }
    return character === '$' ? this.#variable() : character;
  }

  #variable(): string {
    const rest = this.#text.slice(this.#at);
    const braced = rest.startsWith('{');
    const name = NAME.exec(braced ? rest.slice(1) : rest)?.[0];
    if (!braced && name === undefined) return '$';
    if (braced && (name === undefined || rest[name.length + 1] !== '}')) {
      throw malformed(this.#text, 'a variable is a name after $, which may be in braces');
    }
    this.#at += (name?.length ?? 0) + (braced ? 2 : 0);
    const value = this.#variables.get(name ?? '') ?? '';
    this.#expanded += value.length;
    if (this.#expanded > MAX_EXPANDED) {
      throw malformed(this.#text, `its variables stand for more than ${MAX_EXPANDED} characters`);
    }
    return value;
  }
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

function malformed(text: string, reason: string): A3sError {
  const quoted = JSON.stringify(text.slice(0, 200));
  return new A3sError('invalid-argument', `Cannot read ${quoted}: ${reason}`);
}
