/**
 * Invalid resources of a launch spec.
 *
 * @module
 */

/**
 * Where a value is, such as `rootfs.layers.0.bytes`, and what is put there; undefined takes it
 * away.
 */
export type Change = readonly [path: string, value: unknown];

export type Refused = readonly [name: string, comment: string, ...changes: Change[]];

export const ulimit = (name: string, soft: unknown, hard: unknown) => ({ name, soft, hard });

export const RESOURCE_RULES: readonly Refused[] = [
  ['reservation-zero', 'No memory.', ['resources.memoryReservationBytes', 0]],
  ['weight-zero', 'No weight.', ['resources.cpuWeight', 0]],
  ['weight-beyond', '10001.', ['resources.cpuWeight', 10_001]],
  ['ulimit-unknown', 'An unknown resource.', ['resources.ulimits', [ulimit('swap', 0, 0)]]],
  ['ulimit-capitals', 'In capitals.', ['resources.ulimits', [ulimit('NOFILE', 0, 0)]]],
  ['ulimit-prefix', 'As the kernel.', ['resources.ulimits', [ulimit('RLIMIT_CPU', 0, 0)]]],
  ['ulimit-soft-above', 'Soft above hard.', ['resources.ulimits', [ulimit('cpu', 2, 1)]]],
  ['ulimit-soft-unlimited', 'Soft above hard.', ['resources.ulimits', [ulimit('cpu', -1, 1)]]],
  ['ulimit-negative', 'Less than none.', ['resources.ulimits', [ulimit('cpu', -2, -2)]]],
  ['ulimit-text', 'A number as text.', ['resources.ulimits', [ulimit('cpu', '1', 1)]]],
  [
    'ulimit-twice',
    'One resource twice.',
    ['resources.ulimits', [ulimit('cpu', 1, 1), ulimit('cpu', 2, 2)]],
  ],
  ['ulimit-hard-missing', 'Both are there.', ['resources.ulimits', [{ name: 'cpu', soft: 1 }]]],
  [
    'ulimit-more',
    'An unknown key.',
    ['resources.ulimits', [{ ...ulimit('cpu', 1, 1), unit: 's' }]],
  ],
  ['ulimit-core', 'Memory in a file.', ['resources.ulimits', [ulimit('core', 0, 1)]]],
  ['ulimits-object', 'Not a list.', ['resources.ulimits', { cpu: 1 }]],
  ['ulimits-null', 'Null for none.', ['resources.ulimits', null]],
  ['init-text', 'A word for a truth value.', ['init', 'true']],
  ['init-null', 'Null for none.', ['init', null]],
];
