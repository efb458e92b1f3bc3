/**
 * The subset of Go's templates that `--format` takes, as a tree.
 *
 * @module
 */
import { lex, type Part, parseError, type Token } from './lexer.ts';

export type Operand =
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'field'; readonly path: readonly string[] }
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly path: readonly string[] };

/** A function or field with its arguments; the value of the one before it comes last. */
export type Call = readonly Operand[];
export interface Pipeline {
  readonly declares: readonly string[];
  readonly calls: readonly Call[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'range' | 'with';
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

const MAX_DEPTH = 64;

/** @throws UsageError with what is wrong */
export function parseTemplate(template: string): readonly Node[] {
  const parts = [...lex(template)];
  const { nodes, ended } = parseNodes(parts, 0);
  if (ended !== undefined) throw parseError(`unexpected {{${ended.word}}}`);
  return nodes;
}

interface Ending {
  readonly word: 'end' | 'else';
  readonly rest: readonly Token[];
}

function parseNodes(parts: Part[], depth: number): { nodes: Node[]; ended: Ending | undefined } {
  if (depth > MAX_DEPTH) throw parseError('nested too deeply');
  const nodes: Node[] = [];
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    if (part.kind === 'text') {
      nodes.push(part);
      continue;
    }
    const [first, ...rest] = part.tokens;
    if (first === undefined) throw parseError('missing value for command');
    const word = first.kind === 'word' ? first.text : '';
    if (word === 'end' || word === 'else') return { nodes, ended: { word, rest } };
    if (word === 'if' || word === 'range' || word === 'with') {
      nodes.push(parseBlock(word, rest, parts, depth));
    } else if (/^(define|template|block|break|continue)$/.test(word)) {
      throw parseError(`{{${word}}} is not supported`);
    } else {
      nodes.push({ kind: 'print', pipeline: parsePipeline(part.tokens, depth) });
    }
  }
  return { nodes, ended: undefined };
}

function parseBlock(
  kind: 'if' | 'range' | 'with',
  tokens: readonly Token[],
  parts: Part[],
  depth: number,
): Node {
  const pipeline = parsePipeline(tokens, depth);
  const body = parseNodes(parts, depth + 1);
  if (body.ended === undefined) throw parseError(`unexpected EOF: {{${kind}}} has no {{end}}`);
  const otherwise =
    body.ended.word === 'else' ? parseElse(kind, body.ended.rest, parts, depth) : [];
  return { kind, pipeline, body: body.nodes, otherwise };
}

function parseElse(
  kind: string,
  rest: readonly Token[],
  parts: Part[],
  depth: number,
): readonly Node[] {
  const [next, ...tokens] = rest;
  if (next !== undefined) {
    const chained = next.kind === 'word' && next.text === kind && kind !== 'range';
    if (!chained) throw parseError(`unexpected ${JSON.stringify(next.text)} after {{else}}`);
    return [parseBlock(kind === 'if' ? 'if' : 'with', tokens, parts, depth + 1)];
  }
  const { nodes, ended } = parseNodes(parts, depth + 1);
  if (ended?.word !== 'end') throw parseError(`unexpected EOF: {{${kind}}} has no {{end}}`);
  return nodes;
}

function parsePipeline(tokens: readonly Token[], depth: number): Pipeline {
  const queue = [...tokens];
  const declares = parseDeclarations(queue);
  const pipeline = parseCalls(queue, depth + 1);
  const extra = queue[0];
  if (extra !== undefined) throw parseError(`unexpected ${JSON.stringify(extra.text)} in command`);
  return { declares, calls: pipeline };
}

/** `$x :=` or `$k, $v :=`. */
function parseDeclarations(queue: Token[]): readonly string[] {
  const sign = queue.findIndex((token) => token.kind === ':=' || token.kind === '=');
  if (sign < 0) return [];
  const left = queue.splice(0, sign + 1).slice(0, -1);
  const names = left.filter((token) => token.kind === 'variable').map((token) => token.text);
  const shape = left.map((token) => (token.kind === 'variable' ? '$' : token.kind)).join('');
  if (shape !== '$' && shape !== '$,$') throw parseError('malformed variable declaration');
  return names;
}

function parseCalls(queue: Token[], depth: number): readonly Call[] {
  if (depth > MAX_DEPTH) throw parseError('nested too deeply');
  const calls: Call[] = [];
  do {
    const call: Operand[] = [];
    while (queue.length > 0 && queue[0]?.kind !== '|' && queue[0]?.kind !== ')') {
      call.push(parseOperand(queue, depth));
    }
    if (call.length === 0) throw parseError('missing value for command');
    calls.push(call);
  } while (queue[0]?.kind === '|' && queue.shift() !== undefined);
  return calls;
}

function parseOperand(queue: Token[], depth: number): Operand {
  const token = queue.shift();
  switch (token?.kind) {
    case 'dot':
      return { kind: 'dot' };
    case 'field':
      return { kind: 'field', path: [token.text, ...parsePath(queue)] };
    case 'variable':
      return { kind: 'variable', name: token.text, path: parsePath(queue) };
    case 'string':
      return { kind: 'literal', value: token.text };
    case 'number':
      return { kind: 'literal', value: Number(token.text) };
    case 'word':
      return parseWord(token.text);
    case '(': {
      const calls = parseCalls(queue, depth + 1);
      if (queue.shift()?.kind !== ')') throw parseError('unclosed left paren');
      return { kind: 'pipeline', pipeline: { declares: [], calls }, path: parsePath(queue) };
    }
    default:
      throw parseError(`unexpected ${JSON.stringify(token?.text ?? 'end')} in operand`);
  }
}

function parsePath(queue: Token[]): readonly string[] {
  const path: string[] = [];
  for (let next = queue[0]; next?.kind === 'field' && next.joined; next = queue[0]) {
    path.push(next.text);
    queue.shift();
  }
  return path;
}

const CONSTANTS = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['nil', null],
]);

function parseWord(word: string): Operand {
  if (CONSTANTS.has(word)) return { kind: 'literal', value: CONSTANTS.get(word) };
  return { kind: 'function', name: word };
}
