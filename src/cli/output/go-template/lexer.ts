/**
 * Cuts a Go template into text and the tokens of its actions.
 *
 * @module
 */
import { UsageError } from '../../usage-error.ts';

export type Token =
  | { readonly kind: 'field'; readonly text: string; readonly joined: boolean }
  | { readonly kind: 'variable'; readonly text: string }
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'dot' | '|' | '(' | ')' | ':=' | '=' | ','; readonly text: string };

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly tokens: readonly Token[]; readonly source: string };

/** Docker's formats are one-liners; more is a mistake. */
const MAX_TEMPLATE = 64 * 1024;

const TOKEN =
  /(?<space>\s+)|(?<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?<number>[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?))|(?<field>\.[A-Za-z_][\w]*)|(?<variable>\$\w*)|(?<word>[A-Za-z_]\w*)|(?<sign>:=|[.|()=,])/y;

export function parseError(message: string): UsageError {
  return new UsageError(`template parsing error: ${message}`, { status: 1 });
}

/** @throws UsageError for what is not closed or not known */
export function lex(template: string): readonly Part[] {
  if (template.length > MAX_TEMPLATE) throw parseError('the template is too long');
  const parts: Part[] = [];
  let at = 0;
  let trimNext = false;
  while (at < template.length) {
    const open = template.indexOf('{{', at);
    let text = template.slice(at, open < 0 ? undefined : open);
    const trimThis = open >= 0 && /^\{\{-\s/.test(template.slice(open, open + 4));
    if (trimNext) text = text.trimStart();
    if (trimThis) text = text.trimEnd();
    if (text !== '') parts.push({ kind: 'text', text });
    if (open < 0) break;
    const start = open + (trimThis ? 3 : 2);
    const comment = /^\s*\/\*[\s\S]*?\*\/(\s-)?\s*\}\}/.exec(template.slice(start));
    if (comment !== null) {
      trimNext = comment[1] !== undefined;
      at = start + comment[0].length;
      continue;
    }
    const action = lexAction(template, start);
    trimNext = action.trims;
    at = action.end;
    parts.push({ kind: 'action', tokens: action.tokens, source: template.slice(open, at) });
  }
  return parts;
}

function lexAction(
  template: string,
  start: number,
): { tokens: Token[]; end: number; trims: boolean } {
  const tokens: Token[] = [];
  let at = start;
  let spaced = true;
  for (;;) {
    if (template.startsWith('}}', at)) return { tokens, end: at + 2, trims: false };
    if (spaced && template.startsWith('-}}', at)) return { tokens, end: at + 3, trims: true };
    if (at >= template.length) throw parseError('unclosed action');
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(template)?.groups;
    if (groups === undefined) throw unexpected(template, at);
    at = TOKEN.lastIndex;
    spaced = groups['space'] !== undefined;
    const token = tokenOf(
      groups,
      tokens.length > 0 && !wasSpace(template, TOKEN.lastIndex, groups),
    );
    if (token !== undefined) tokens.push(token);
  }
}

/** Whether white space came right before the token: `.A.B` is one path, `.A .B` are two. */
function wasSpace(
  template: string,
  end: number,
  groups: Record<string, string | undefined>,
): boolean {
  const length = (groups['field'] ?? '').length;
  return /\s/.test(template.charAt(end - length - 1));
}

function tokenOf(groups: Record<string, string | undefined>, joined: boolean): Token | undefined {
  const { string, number, field, variable, word, sign } = groups;
  if (string !== undefined) return { kind: 'string', text: unquote(string) };
  if (number !== undefined) return { kind: 'number', text: number };
  if (field !== undefined) return { kind: 'field', text: field.slice(1), joined };
  if (variable !== undefined) return { kind: 'variable', text: variable };
  if (word !== undefined) return { kind: 'word', text: word };
  if (sign === undefined) return undefined;
  if (sign === '.') return { kind: 'dot', text: sign };
  return { kind: sign as '|' | '(' | ')' | ':=' | '=' | ',', text: sign };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

function unexpected(template: string, at: number): UsageError {
  const character = template.charAt(at);
  if (character === '"' || character === '`') return parseError('unterminated quoted string');
  return parseError(`unexpected ${JSON.stringify(character)} in action`);
}
