/**
 * Seccomp profiles of a box's own.
 *
 * @module
 */
import type { Change, Refused } from './resources.ts';

const ALLOW = { kind: 'allow', value: 0 };
const CONDITION = { index: 1, op: 'masked-eq', value: '18446744073709551615', valueTwo: '0' };
const RULE = {
  ...{ names: ['mkdir', 'not_a_call'], action: { kind: 'errno', value: 1 } },
  conditions: [CONDITION],
};
const PROFILE = {
  ...{ default: ALLOW, x86: true, x32: false, log: false, specAllow: false, rules: [RULE] },
};

const profile = (value: unknown): readonly Change[] => [
  ['confinement.seccomp', 'profile'],
  ['confinement.seccompProfile', value],
];
const wrong = (name: string, comment: string, change: object): Refused => [
  `seccomp-${name}`,
  comment,
  ...profile({ ...PROFILE, ...change }),
];
const condition = (name: string, comment: string, change: object): Refused =>
  wrong(name, comment, { rules: [{ ...RULE, conditions: [{ ...CONDITION, ...change }] }] });

export const SECCOMP_ACCEPTED: readonly Refused[] = [
  ['seccomp-own', 'A profile of its own.', ...profile(PROFILE)],
  ['seccomp-own-least', 'Without a rule.', ...profile({ ...PROFILE, rules: [] })],
];

export const SECCOMP_RULES: readonly Refused[] = [
  ['seccomp-missing', 'No profile of that name.', ['confinement.seccomp', 'profile']],
  ['seccomp-beside', 'Two profiles.', ['confinement.seccompProfile', PROFILE]],
  ['seccomp-digest', 'A profile by its digest.', ...profile('a'.repeat(64))],
  ['seccomp-null', 'Null is no profile.', ...profile(null)],
  wrong('notify', 'A program outside decides.', { default: { kind: 'notify', value: 0 } }),
  wrong('value', 'A value that says nothing.', { default: { kind: 'allow', value: 1 } }),
  wrong('errno', 'More than 16 bits.', { default: { kind: 'errno', value: 65_536 } }),
  wrong('more', 'An unknown key.', { listenerPath: '/run/x' }),
  wrong('x32-missing', 'Every key is written out.', { x32: undefined }),
  wrong('name-long', '65 characters.', { rules: [{ ...RULE, names: ['x'.repeat(65)] }] }),
  wrong('name-nul', 'NUL in a name.', { rules: [{ ...RULE, names: ['a\0'] }] }),
  wrong('rules-4097', '4097 of them.', {
    rules: Array(4097).fill({ names: [], action: ALLOW, conditions: [] }),
  }),
  condition('index', 'A call has six arguments.', { index: 6 }),
  condition('op', 'An unknown comparison.', { op: 'in' }),
  condition('number', 'Not as text.', { value: 1 }),
  condition('decimal-65', 'More than 64 bits.', { value: '18446744073709551616' }),
  condition('decimal-zero', 'Another spelling.', { value: '01' }),
  condition('decimal-sign', 'Another spelling.', { valueTwo: '+1' }),
  condition('decimal-hex', 'Another spelling.', { value: '0x1' }),
  condition('decimal-empty', 'No number.', { value: '' }),
];
