/**
 * The text of a policy: one document of YAML 1.2, and so JSON as well.
 *
 * Only text that means the same to every reader is accepted: no anchor, alias, tag, directive or
 * merge key, no key twice, no key without a value. Numbers are whole ones of up to 15 digits; all
 * else that looks like a number stays text, so that `1.50` does not become `1.5`, nor digits a
 * float.
 *
 * @module
 */
import {
  Composer,
  CST,
  type ErrorCode,
  isAlias,
  isMap,
  isSeq,
  Lexer,
  LineCounter,
  type ParsedNode,
  Parser,
  type ScalarTag,
  type YAMLMap,
} from 'yaml';
import { MAX_POLICY_DOCUMENT } from './max-policy-document.ts';
import { PolicyError } from './policy-error.ts';

export { MAX_POLICY_DOCUMENT } from './max-policy-document.ts';
export { PolicyError, type PolicyErrorCode, type PolicyProblem } from './policy-error.ts';

/** Policies are flat, and composing recurses: deep nesting could crash the process. */
const MAX_DEPTH = 16;

const INTEGER: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^(0|-?[1-9][0-9]{0,14})$/,
  resolve: Number,
};

const SCHEMA = {
  version: '1.2',
  schema: 'failsafe',
  customTags: ['null', 'bool', INTEGER],
  stringKeys: true,
  // Compares each key with all others; the reader below does it in one go.
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
} satisfies ConstructorParameters<typeof Composer>[0];

/** Of a token, by the type that the lexer gives it. */
const REFUSED = new Map([
  ['anchor', 'anchors are not read'],
  ['tag', 'tags are not read'],
  ['directive-line', 'directives are not read'],
]);

/**
 * Replaces messages of YAML's reader that repeat the text: the file may be a secret that was named
 * by mistake.
 */
const WITHOUT_SOURCE: Partial<Record<ErrorCode, string>> = {
  BAD_COLLECTION_TYPE: 'tags are not read',
  BAD_DIRECTIVE: 'directives are not read',
  BAD_DQ_ESCAPE: 'there is no such escape sequence',
  BAD_SCALAR_START: 'a plain value does not start with this character',
  TAG_RESOLVE_FAILED: 'tags are not read',
  UNEXPECTED_TOKEN: 'this is not expected here',
};

/**
 * The mappings, lists, strings, whole numbers, booleans and nulls that a text states.
 *
 * @throws PolicyError `policy-unreadable`, with line and column where there is a place
 */
export function readPolicyDocument(text: string | Uint8Array): unknown {
  const source = decode(text);
  const reader = new Reader();
  const tokens = reader.tokens(source);
  for (const token of tokens) reader.checkDepth(token, 0);
  const documents = [...new Composer(SCHEMA).compose(tokens, true, source.length)];
  for (const other of documents.slice(1)) reader.refuse('a second document', other.range[0]);
  for (const { errors, warnings } of documents) {
    for (const error of [...errors, ...warnings]) {
      reader.refuse(WITHOUT_SOURCE[error.code] ?? error.message, error.pos[0]);
    }
  }
  return reader.value(documents[0]?.contents ?? null, 0);
}

/** UTF-8, without its byte order mark. */
function decode(text: string | Uint8Array): string {
  const bytes = text.length > MAX_POLICY_DOCUMENT ? undefined : bytesOf(text);
  if (bytes === undefined || bytes.length > MAX_POLICY_DOCUMENT) {
    throw unreadable(`the text has more than ${MAX_POLICY_DOCUMENT} bytes`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable('the text is not UTF-8');
  }
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? new TextEncoder().encode(text) : text;
}

function unreadable(message: string, place?: { line: number; column: number }): PolicyError {
  return new PolicyError('policy-unreadable', [{ path: '', message, ...place }]);
}

/** Reads one text and locates its lines. */
class Reader {
  readonly #lines = new LineCounter();

  /** Checks the text's syntax, before values are made of it. */
  tokens(source: string): CST.Token[] {
    this.#lines.addNewLine(0);
    const parser = new Parser(this.#lines.addNewLine);
    const tokens: CST.Token[] = [];
    let last = '';
    for (const lexeme of new Lexer().lex(source)) {
      const refused = REFUSED.get(CST.tokenType(lexeme) ?? '');
      // After this mark a lexeme is text, whatever it begins with.
      if (refused !== undefined && last !== CST.SCALAR) this.refuse(refused, parser.offset);
      tokens.push(...parser.next(lexeme));
      last = lexeme;
    }
    tokens.push(...parser.end());
    return tokens;
  }

  checkDepth(token: CST.Token | null | undefined, depth: number): void {
    if (token === null || token === undefined) return;
    if (token.type === 'document') this.checkDepth(token.value, depth);
    if (!('items' in token)) return;
    if (depth === MAX_DEPTH) this.refuse(`nested deeper than ${MAX_DEPTH} levels`, token.offset);
    for (const { key, value } of token.items) {
      this.checkDepth(key, depth + 1);
      this.checkDepth(value, depth + 1);
    }
  }

  /** The value of a node; `offset` is its position. */
  value(node: ParsedNode | null, offset: number): unknown {
    if (node === null) return this.refuse('nothing is said here', offset);
    const [start, end] = node.range;
    if (start === end) return this.refuse('nothing is said here', start);
    if (isAlias(node)) return this.refuse('aliases are not read', start);
    if (isMap(node)) return this.#mapping(node);
    if (isSeq(node)) return node.items.map((item) => this.value(item, start));
    return node.value;
  }

  #mapping(map: YAMLMap.Parsed): unknown {
    const entries = new Map<string, unknown>();
    for (const { key, value } of map.items) {
      const [start] = key.range;
      const name = String(this.value(key, start));
      if (name === '<<') this.refuse('merge keys are not read', start);
      if (entries.has(name)) this.refuse('this key is there twice', start);
      entries.set(name, this.value(value, start));
    }
    return Object.fromEntries(entries);
  }

  refuse(message: string, offset: number): never {
    const { line, col: column } = this.#lines.linePos(offset);
    throw unreadable(message, { line, column });
  }
}
