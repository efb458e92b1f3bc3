/**
 * Checks a condition before there is a statement: which names it uses, and whether it can ever be
 * true.
 *
 * CEL reports a misspelt name only during evaluation, and only where evaluation reaches it. A
 * policy has to be refused when it is read.
 *
 * @module
 */
import type { CelEnv, parse } from '@bufbuild/cel';

export type Expr = NonNullable<ReturnType<typeof parse>['expr']>;
type Kind<Case extends Expr['exprKind']['case']> = Extract<Expr['exprKind'], { case: Case }>;
type Call = Kind<'callExpr'>['value'];
type Comprehension = Kind<'comprehensionExpr'>['value'];

/** Types are values as well, as in `type(x) == string`. */
const TYPES = [
  ...['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'],
];

/** Planned without being looked up. */
const OPERATORS = ['_&&_', '_||_', '_?_:_', '_[_]', '@not_strictly_false'];

const BOOLEAN = [
  ...['_&&_', '_||_', '!_', '@not_strictly_false', '@in', 'bool'],
  ...['_==_', '_!=_', '_<_', '_<=_', '_>_', '_>=_'],
  ...['contains', 'startsWith', 'endsWith', 'matches'],
];

/** Of unknown type until there is a value. */
const DYNAMIC = ['dyn', '_[_]'];

/** @throws Error that names the unknown names, or says why the condition is never true or false */
export function checkCondition(expr: Expr, env: CelEnv, variables: readonly string[]): void {
  checkNames(expr, env, new Set([...variables, ...TYPES]));
  if (!canBeBoolean(expr, new Map())) {
    throw new Error('it gives something else than true or false');
  }
}

function checkNames(expr: Expr, env: CelEnv, known: ReadonlySet<string>): void {
  const { exprKind: kind } = expr;
  switch (kind.case) {
    case 'identExpr':
      if (known.has(kind.value.name)) return;
      throw new Error(`it knows no variable ${quoted(kind.value.name)}`);
    case 'constExpr': {
      const { constantKind: constant } = kind.value;
      if (constant.case !== 'doubleValue' || Number.isFinite(constant.value)) return;
      throw new Error('it has a number that is not finite');
    }
    case 'callExpr':
      checkFunction(kind.value, env);
      for (const part of callParts(kind.value)) checkNames(part, env, known);
      return;
    case 'selectExpr':
      checkAll([kind.value.operand], env, known);
      return;
    case 'listExpr':
      checkAll(kind.value.elements, env, known);
      return;
    case 'structExpr':
      if (kind.value.messageName !== '') {
        throw new Error(`it builds a message, ${quoted(kind.value.messageName)}: there are none`);
      }
      for (const { keyKind, value } of kind.value.entries) {
        checkAll([keyKind.case === 'mapKey' ? keyKind.value : undefined, value], env, known);
      }
      return;
    case 'comprehensionExpr':
      checkComprehension(kind.value, env, known);
      return;
    default:
      return;
  }
}

function checkAll(
  parts: readonly (Expr | undefined)[],
  env: CelEnv,
  known: ReadonlySet<string>,
): void {
  for (const part of parts) if (part !== undefined) checkNames(part, env, known);
}

function callParts({ target, args }: Call): readonly Expr[] {
  return target === undefined ? args : [target, ...args];
}

function checkFunction({ function: name }: Call, env: CelEnv): void {
  // A copy of a text for each value of a list would exhaust memory, and JSON has no bytes to
  // compare it with.
  if (name === 'bytes') throw new Error('it makes bytes, and a statement has none');
  if (OPERATORS.includes(name) || env.funcs.find(name) !== undefined) return;
  throw new Error(`it knows no function ${quoted(name)}`);
}

function checkComprehension(
  { iterRange, accuInit, iterVar, iterVar2, accuVar, ...inner }: Comprehension,
  env: CelEnv,
  known: ReadonlySet<string>,
): void {
  checkAll([iterRange, accuInit], env, known);
  const more = new Set([...known, iterVar, iterVar2, accuVar]);
  checkAll([inner.loopCondition, inner.loopStep, inner.result], env, more);
}

/** @param accumulators the known types of the variables of enclosing comprehensions */
function canBeBoolean(expr: Expr, accumulators: ReadonlyMap<string, boolean>): boolean {
  const { exprKind: kind } = expr;
  switch (kind.case) {
    case 'constExpr':
      return kind.value.constantKind.case === 'boolValue';
    case 'listExpr':
    case 'structExpr':
      return false;
    case 'identExpr':
      return accumulators.get(kind.value.name) ?? !TYPES.includes(kind.value.name);
    case 'callExpr':
      return callCanBeBoolean(kind.value, accumulators);
    case 'comprehensionExpr': {
      const { accuVar, accuInit, result } = kind.value;
      if (result === undefined || accuInit === undefined) return false;
      const inner = new Map(accumulators).set(accuVar, canBeBoolean(accuInit, accumulators));
      return canBeBoolean(result, inner);
    }
    default:
      return kind.case === 'selectExpr';
  }
}

function callCanBeBoolean(
  { function: name, args }: Call,
  accumulators: ReadonlyMap<string, boolean>,
): boolean {
  if (name === '_?_:_') return args.slice(1).every((arm) => canBeBoolean(arm, accumulators));
  if (name === 'dyn') return args.every((arg) => canBeBoolean(arg, accumulators));
  return BOOLEAN.includes(name) || DYNAMIC.includes(name);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
