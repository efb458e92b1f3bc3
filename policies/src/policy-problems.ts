/**
 * Turns the faults that a schema found into messages for people.
 *
 * The schemas of policies state in each error message what they expect, and nothing else: here it
 * is put beside what was found, with the path to it.
 *
 * @module
 */
import type * as z from 'zod/mini';
import { nearKey } from './near-key.ts';
import { isPlain } from './plain-copy.ts';
import type { PolicyProblem } from './policy-error.ts';

type Path = readonly PropertyKey[];

/** Bound on the listed problems: a document may have any number. */
const MAX_PROBLEMS = 100;

/**
 * One problem for each value and each unknown key that the schema refused.
 *
 * Problems beyond {@link MAX_PROBLEMS} are counted in one more.
 */
export function problemsOf(
  input: unknown,
  issues: readonly z.core.$ZodIssue[],
): readonly PolicyProblem[] {
  if (hasNoKeyOfPolicy(input, issues)) return [{ path: '', message: NO_POLICY }];
  const found = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => () => unknownKey(issue.path, key, issue.message))
      : [() => wrongValue(input, issue.path, issue.message)],
  );
  const problems = found.slice(0, MAX_PROBLEMS).map((problem) => problem());
  const rest = found.length - problems.length;
  return rest === 0 ? problems : [...problems, { path: '', message: `and ${rest} more` }];
}

const NO_POLICY = 'this is no such policy: it has none of the keys of one';

/**
 * A document that is no policy may be a secret that was named by mistake: not even its keys are
 * repeated.
 */
function hasNoKeyOfPolicy(input: unknown, issues: readonly z.core.$ZodIssue[]): boolean {
  const unknown = issues.find(
    (issue) => issue.code === 'unrecognized_keys' && issue.path.length === 0,
  );
  if (unknown?.code !== 'unrecognized_keys') return false;
  const known = unknown.message.split(' ');
  const misspelt = unknown.keys
    .slice(0, MAX_PROBLEMS)
    .some((key) => nearKey(key, known) !== undefined);
  return !misspelt && unknown.keys.length === Object.keys(Object(input)).length;
}

/** The message of a closed mapping: the keys that it knows, for {@link problemsOf}. */
export function knownKeys(names: readonly string[]): string {
  return names.join(' ');
}

function unknownKey(path: Path, key: string, known: string): PolicyProblem {
  const near = nearKey(key, known.split(' '));
  const hint = near === undefined ? '' : `: did you mean \`${near}\`?`;
  return { path: pathText([...path, key]), message: `unknown key \`${oneLine(key)}\`${hint}` };
}

function wrongValue(input: unknown, path: Path, expected: string): PolicyProblem {
  const value = valueAt(input, path);
  // A document that is nothing but text is no policy, and may be a secret.
  const whole = path.length === 0 && typeof value === 'string';
  const found = whole ? 'text' : describe(value);
  return {
    path: pathText(path),
    message: `expected ${expected}, found ${found}`,
    expected,
    found,
  };
}

function valueAt(input: unknown, path: Path): unknown {
  return path.reduce((value, key) => Reflect.get(Object(value), key), input);
}

/** `crl.maxAgeDays`, `measurements[3]`. */
function pathText(path: Path): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${oneLine(String(key))}`))
    .join('')
    .replace(/^\./, '');
}

/** A key of the document, which may have any characters. */
function oneLine(key: string): string {
  return /^[\w-]+$/.test(key) ? shorten(key) : JSON.stringify(shorten(key));
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isPlain(value)) return 'a mapping';
  if (typeof value === 'object' && value !== null) return 'an object that is not a plain one';
  return shorten(String(value));
}

function shorten(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}… (${text.length} characters)` : text;
}
