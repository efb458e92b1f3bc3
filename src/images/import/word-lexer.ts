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
/** Variables in the braces of others. */
const MAX_NESTED = 32;
const OPERATOR = /^(?:}|:?[-+?])/;
const UNREADABLE = 'a variable is a name after $, which may be in braces';

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
  #nested = 0;

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
    const braced = this.#text[this.#at] === '{';
    if (braced) this.#at += 1;
    const name = NAME.exec(this.#text.slice(this.#at))?.[0];
    if (name === undefined) {
      if (braced) throw malformed(this.#text, UNREADABLE);
      return '$';
    }
    this.#at += name.length;
    const value = this.#variables.get(name);
    if (braced) return this.#braced(name, value);
    return this.#expand(value ?? '');
  }

  /** What follows a name in braces: their end, or what to use instead, as in a shell. */
  #braced(name: string, value: string | undefined): string {
    const operator = OPERATOR.exec(this.#text.slice(this.#at))?.[0];
    if (operator === undefined) throw malformed(this.#text, UNREADABLE);
    this.#at += operator.length;
    if (operator === '}') return this.#expand(value ?? '');
    const isSet = operator.startsWith(':')
      ? value !== undefined && value !== ''
      : value !== undefined;
    this.#nested += 1;
    if (this.#nested > MAX_NESTED) {
      throw malformed(this.#text, `it has more than ${MAX_NESTED} variables in each other`);
    }
    const word = this.#word((character) => character === '}');
    if (this.#at >= this.#text.length) throw malformed(this.#text, UNREADABLE);
    this.#nested -= 1;
    this.#at += 1;
    if (operator.endsWith('+')) return isSet ? word : '';
    if (isSet) return this.#expand(value ?? '');
    if (operator.endsWith('-')) return word;
    throw malformed(this.#text, `${name}: ${word === '' ? 'not allowed to be unset' : word}`);
  }

  #expand(value: string): string {
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
