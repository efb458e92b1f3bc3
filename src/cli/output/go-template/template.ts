/**
 * `--format`: the subset of Go's templates that Docker's users write, evaluated on JSON.
 *
 * Fields, variables, pipelines, `if`, `range`, `with`, comments, trim markers and the functions of
 * functions.ts; no `define`, no methods but those that a listing offers.
 *
 * @module
 */
import { isObject } from '../../client/json.ts';
import { UsageError } from '../../usage-error.ts';
import { FUNCTIONS } from './functions.ts';
import { type Call, type Node, type Operand, type Pipeline, parseTemplate } from './parser.ts';
import { isTrue, printValue, sortedEntries } from './values.ts';

/** A method such as `.Label "name"`. */
type Method = (...args: readonly string[]) => unknown;

/** The most that one evaluation writes. */
const MAX_OUTPUT = 16 * 1024 * 1024;

/**
 * Fields of Docker's documents that are maps: a key that they lack has no value, where an unknown
 * field is a mistake.
 */
const MAPS = new Set(
  'Labels ExposedPorts Volumes Ports PortBindings Networks Annotations Sysctls Tmpfs Options Data'.split(
    ' ',
  ),
);

export class Template {
  readonly #nodes: readonly Node[];

  /** @throws UsageError for a template that cannot be parsed or names unknown functions */
  constructor(source: string) {
    this.#nodes = parseTemplate(source);
  }

  /** @throws UsageError for an unknown field or an argument of the wrong kind */
  evaluate(data: unknown): string {
    const scope: Scope = { output: [], size: 0 };
    evaluateNodes(this.#nodes, data, new Map([['$', data]]), scope);
    return scope.output.join('');
  }
}

interface Scope {
  readonly output: string[];
  size: number;
}

type Variables = Map<string, unknown>;

function evaluateNodes(nodes: readonly Node[], dot: unknown, outer: Variables, scope: Scope): void {
  const variables = new Map(outer);
  for (const node of nodes) {
    switch (node.kind) {
      case 'text':
        emit(scope, node.text);
        break;
      case 'print': {
        const value = evaluate(node.pipeline, dot, variables);
        const [name] = node.pipeline.declares;
        if (name === undefined) emit(scope, printValue(value));
        else variables.set(name, value);
        break;
      }
      case 'range':
        evaluateRange(node, dot, variables, scope);
        break;
      default: {
        const inner = new Map(variables);
        const value = evaluate(node.pipeline, dot, inner);
        const [name] = node.pipeline.declares;
        if (name !== undefined) inner.set(name, value);
        const taken = isTrue(value) ? node.body : node.otherwise;
        evaluateNodes(taken, node.kind === 'with' && isTrue(value) ? value : dot, inner, scope);
      }
    }
  }
}

function evaluateRange(
  node: Extract<Node, { kind: 'if' | 'range' | 'with' }>,
  dot: unknown,
  variables: Variables,
  scope: Scope,
): void {
  const value = evaluate(node.pipeline, dot, variables);
  const entries = entriesOf(value);
  for (const [key, item] of entries) {
    const inner = new Map(variables);
    const names = node.pipeline.declares;
    const [first, second] = names;
    if (second !== undefined) inner.set(second, item);
    if (first !== undefined) inner.set(first, second === undefined ? item : key);
    evaluateNodes(node.body, item, inner, scope);
  }
  if (entries.length === 0) evaluateNodes(node.otherwise, dot, variables, scope);
}

function entriesOf(value: unknown): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return [...value.entries()];
  if (isObject(value)) return sortedEntries(value);
  if (value === null || value === undefined) return [];
  throw failure(`range can't iterate over ${printValue(value)}`);
}

function evaluate(pipeline: Pipeline, dot: unknown, variables: Variables): unknown {
  let value: unknown;
  for (const [index, call] of pipeline.calls.entries()) {
    value = evaluateCall(call, dot, variables, index === 0 ? [] : [value]);
  }
  return value;
}

function evaluateCall(
  call: Call,
  dot: unknown,
  variables: Variables,
  piped: readonly unknown[],
): unknown {
  const [head, ...rest] = call;
  if (head === undefined) throw failure('empty command');
  const args = [...rest.map((operand) => operandValue(operand, dot, variables)), ...piped];
  if (head.kind === 'function') return invoke(head.name, args);
  const value = operandValue(head, dot, variables, args.map(String));
  if (args.length > 0 && !isMethodCall(head, dot)) {
    throw failure(`can't give arguments to ${label(head)}`);
  }
  return value;
}

function isMethodCall(head: Operand, dot: unknown): boolean {
  const [name, more] = head.kind === 'field' ? head.path : [];
  return (
    name !== undefined && more === undefined && isObject(dot) && typeof dot[name] === 'function'
  );
}

function invoke(name: string, args: readonly unknown[]): unknown {
  const known = FUNCTIONS.get(name);
  if (known === undefined) throw failure(`function "${name}" not defined`);
  try {
    return known(...args);
  } catch (error) {
    if (error instanceof RangeError) throw failure(`error calling ${name}: ${error.message}`);
    throw error;
  }
}

function operandValue(
  operand: Operand,
  dot: unknown,
  variables: Variables,
  args: readonly string[] = [],
): unknown {
  switch (operand.kind) {
    case 'dot':
      return dot;
    case 'literal':
      return operand.value;
    case 'field':
      return walk(dot, operand.path, args);
    case 'variable':
      if (!variables.has(operand.name)) throw failure(`undefined variable "${operand.name}"`);
      return walk(variables.get(operand.name), operand.path, args);
    case 'pipeline':
      return walk(evaluate(operand.pipeline, dot, variables), operand.path, args);
    case 'function':
      return invoke(operand.name, []);
  }
}

function walk(start: unknown, path: readonly string[], args: readonly string[]): unknown {
  let value = start;
  let parent = '';
  for (const name of path) {
    if (value === undefined) return undefined;
    if (!isObject(value)) throw failure(`can't evaluate field ${name} in ${printValue(value)}`);
    if (Object.hasOwn(value, name)) {
      const found = value[name];
      value = typeof found === 'function' ? (found as Method)(...args) : found;
    } else if (MAPS.has(parent)) {
      value = undefined;
    } else {
      throw failure(`can't evaluate field ${name}: there is no such entry`);
    }
    parent = name;
  }
  return value;
}

function emit(scope: Scope, text: string): void {
  scope.size += text.length;
  if (scope.size > MAX_OUTPUT) throw failure('the output is too long');
  scope.output.push(text);
}

function label(operand: Operand): string {
  return operand.kind === 'field' ? `.${operand.path.join('.')}` : 'a value';
}

function failure(message: string): UsageError {
  return new UsageError(`template parsing error: ${message}`, { status: 1 });
}
