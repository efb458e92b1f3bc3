/**
 * Conditions on attestations, in CEL (Common Expression Language).
 *
 * A condition sees four variables: `statement`, the whole in-toto statement, and of it `predicate`,
 * `predicateType` and `subject`. It holds if it evaluates to `true`. It does not hold for any other
 * value or an error.
 *
 * CEL always ends, but loops within loops over a statement of 16 MiB may take hours, and the
 * library has no evaluation budget. Loops within loops are useful (the digests of all
 * dependencies), so they are not refused; the engine is interrupted after a second instead, and all
 * conditions of a decision share four. One loop over all values that a statement may have takes a
 * fraction of one.
 *
 * @module
 */
import { createContext, runInContext } from 'node:vm';
import { MAX_CONDITION } from '@a3s-box/policies/image-policy';
import { CelScalar, celEnv, isCelError, isCelList, isCelMap, parse, plan } from '@bufbuild/cel';
import type { Condition } from '../policy.ts';
import { checkCondition } from './cel-check.ts';
import { type CelJson, celJson } from './cel-values.ts';
import { EvaluationTime } from './evaluation-time.ts';

const VARIABLES = {
  statement: CelScalar.DYN,
  predicate: CelScalar.DYN,
  predicateType: CelScalar.DYN,
  subject: CelScalar.DYN,
};

/** The server serves no other request during an evaluation. */
const MAX_MILLISECONDS = 1000;

type Variables = Readonly<Record<keyof typeof VARIABLES, CelJson>>;

/** Several conditions look at one statement. */
const variablesOf = new WeakMap<object, Variables>();

/** @throws Error that says why the text is no condition */
export function compileCondition(text: string): Condition {
  if (text.length > MAX_CONDITION) {
    throw new Error(`it is longer than ${MAX_CONDITION} characters`);
  }
  const evaluate = interruptible(new EvaluationTime(MAX_MILLISECONDS), () => {
    const env = celEnv({ variables: VARIABLES });
    const parsed = parse(text);
    if (parsed.expr !== undefined) checkCondition(parsed.expr, env, Object.keys(VARIABLES));
    return plan(env, parsed);
  });
  const failure = (statement: unknown, time: EvaluationTime): string | undefined => {
    try {
      const result = interruptible(time, () => evaluate(bind(statement)));
      if (result === true) return undefined;
      if (result === false) return 'it is false';
      if (isCelError(result)) return `it cannot be evaluated: ${oneLine(result.message)}`;
      return `it gives ${kindOf(result)}, and not true or false`;
    } catch (error) {
      return `it cannot be evaluated: ${messageOf(error)}`;
    }
  };
  return { text, failure };
}

function bind(statement: unknown): Variables {
  if (typeof statement !== 'object' || statement === null || Array.isArray(statement)) {
    throw new TypeError('the statement is no mapping');
  }
  const known = variablesOf.get(statement);
  if (known !== undefined) return known;
  const whole = celJson(statement);
  const member = (name: string): CelJson =>
    whole instanceof Map ? (whole.get(name) ?? null) : null;
  const variables = {
    statement: whole,
    predicate: member('predicate'),
    predicateType: member('predicateType'),
    subject: member('subject'),
  };
  variablesOf.set(statement, variables);
  return variables;
}

/** Runs `work`, which the engine interrupts at any point once it has taken too long. */
function interruptible<Result>(time: EvaluationTime, work: () => Result): Result {
  let result: { readonly value: Result } | undefined;
  const context = createContext({
    work: () => {
      result = { value: work() };
    },
  });
  try {
    time.spend(MAX_MILLISECONDS, (timeout) => runInContext('work()', context, { timeout }));
  } catch (error) {
    // The error comes from the other context, whose error classes are not ours.
    if (Reflect.get(Object(error), 'code') !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new Error('it takes too long, and was stopped');
  }
  if (result === undefined) throw new TypeError('an evaluation has ended without a result');
  return result.value;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (isCelMap(value)) return 'a map';
  if (isCelList(value)) return 'a list';
  if (typeof value === 'bigint' || typeof value === 'number') return 'a number';
  return typeof value === 'string' ? 'a string' : 'a value of another kind';
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  // Of the parser or the evaluation, which recurse.
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return 'it is nested too deeply';
  }
  return oneLine(error.message);
}

/** Names out of a statement may be in it. */
function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** For people: the reason why a text is no condition. */
export function conditionFault(error: unknown): string {
  return messageOf(error);
}
