/**
 * Prints the meaning of a policy for people.
 *
 * @module
 */
import { printable } from '../../client/failure.ts';
import { isObject } from '../../client/json.ts';
import type { Library } from '../attest/load-library.ts';
import { acceptsNobody } from './accepts-nobody.ts';

type Policy = Library['STRICT_POLICY'];
type Key = keyof Policy;

/** The column of values. */
const WIDTH = 28;

/** Keys that a policy may lack, and the meaning of their absence. */
const WHEN_ABSENT = {
  minLaunchTcb: 'as minTcb',
  minCommittedTcb: 'as minTcb',
  chipAllow: 'any chip',
  idKeyDigests: 'not looked at',
  authorKeyDigests: 'not looked at',
  familyIds: 'not looked at',
  imageIds: 'not looked at',
  hostData: 'not said',
  reportData: 'not said: the verifier has to say it',
} as const satisfies Partial<Record<Key, string>>;

/** Every key that a policy may have, including those that this one lacks. */
export function keysOf(policy: Policy): readonly string[] {
  const keys = Object.keys(policy).flatMap((key) => (key === 'minTcb' ? TCB_KEYS : [key]));
  return [...new Set([...keys, ...Object.keys(WHEN_ABSENT)])];
}

const TCB_KEYS: readonly string[] = ['minTcb', 'minLaunchTcb', 'minCommittedTcb'];

/** With the minimums that follow `minTcb` written out. */
export function effective(policy: Policy): Policy {
  const { minTcb, minLaunchTcb = minTcb, minCommittedTcb = minTcb } = policy;
  return { ...policy, minLaunchTcb, minCommittedTcb };
}

/** The content of the document, the effect of the missing keys, and a conclusion. */
export function describePolicy(policy: Policy, stated: readonly string[]): string {
  const keys = keysOf(policy);
  const said = keys.filter((key) => stated.includes(key));
  const unsaid = keys.filter((key) => !stated.includes(key));
  const lines = [
    ...(said.length === 0 ? [] : ['Stated:', ...said.map((key) => line(policy, key)), '']),
    'By default:',
    ...unsaid.map((key) => line(policy, key)),
    '',
    ...conclusion(policy),
  ];
  return `${printable(lines.join('\n'))}\n`;
}

function line(policy: Policy, key: string): string {
  const value = describeValue(Reflect.get(policy, key), WIDTH);
  return `  ${key.padEnd(WIDTH - 2)}${value ?? absent(key)}`;
}

function absent(key: string): string {
  return new Map<string, string>(Object.entries(WHEN_ABSENT)).get(key) ?? 'not said';
}

function conclusion(policy: Policy): readonly string[] {
  const reasons = acceptsNobody(policy);
  if (reasons.length === 0) return ['The policy is valid.'];
  return ['The policy is valid, but it accepts nobody:', ...reasons.map((text) => `- ${text}`)];
}

function describeValue(value: unknown, indent: number): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (Array.isArray(value)) return describeList(value.map(oneLine), indent);
  if (isObject(value)) return describeObject(value, indent);
  return oneLine(value);
}

function oneLine(value: unknown): string {
  return String(value).replaceAll(/\s/g, ' ');
}

/** Long elements stand below each other. */
function describeList(items: readonly string[], indent: number): string {
  if (items.length === 0) return 'none';
  const long = items.some((item) => item.length > 20);
  return items.join(long ? `\n${' '.repeat(indent)}` : ', ');
}

function describeObject(value: Readonly<Record<string, unknown>>, indent: number): string {
  const entries = Object.entries(value);
  if (entries.length === 0) return 'none';
  const nested = entries.some(([, item]) => isObject(item));
  return entries
    .map(([key, item]) => `${key} ${describeValue(item, indent) ?? 'none'}`)
    .join(nested ? `\n${' '.repeat(indent)}` : ', ');
}
