/**
 * Sealing in a launch spec, and the keys whose holders may seal from outside.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
/** As many digests, in order. */
const many = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => index.toString(16).padStart(64, '0'));

const sealers = (name: string, comment: string, keys: unknown): Refused => [
  `sealers-${name}`,
  comment,
  ['sealing', 'exact'],
  ['sealers', keys],
];

/** Those that are valid. */
export const SEALING_ACCEPTED: readonly Refused[] = [
  ['sealing-exact', 'By the workload alone.', ['sealing', 'exact']],
  ['sealing-upgradable', 'By the workload alone.', ['sealing', 'upgradable']],
  sealers('two', 'By the holders of two keys too.', [A, B]),
  sealers('64', 'All of them.', many(64)),
];

export const SEALING_RULES: readonly Refused[] = [
  ['sealing-null', 'Null is no value.', ['sealing', null]],
  ['sealing-missing', 'It is written out.', ['sealing', undefined]],
  ['sealers-without-sealing', 'Keys for what nobody may.', ['sealers', [A]]],
  sealers('empty', 'An absent list says none.', []),
  sealers('unsorted', 'Keys out of order.', [B, A]),
  sealers('twice', 'A key twice.', [A, A]),
  sealers('short', 'A digest of another kind.', [A.slice(1)]),
  sealers('capitals', 'Digits in capitals.', ['A'.repeat(64)]),
  sealers('null', 'Null is no value.', null),
  sealers('65', '65 of them.', many(65)),
];
