/**
 * The filesystems in memory of a launch spec, and the size of `/dev/shm`.
 *
 * @module
 */
import type { Refused } from './resources.ts';

type Mount = Readonly<Record<string, unknown>>;

const PLAIN: Mount = { destination: '/a', readonly: false, sizeBytes: 4096, flags: [] };

const FLAGS = ['dirsync', 'exec', 'nodiratime', 'strictatime', 'suid', 'sync'];

/** As many of them, in order. */
const many = (count: number): readonly Mount[] =>
  Array.from({ length: count }, (_, index) => ({ ...PLAIN, destination: `/t${index + 100}` }));

const at = (...destinations: readonly string[]): readonly Mount[] =>
  destinations.map((destination) => ({ ...PLAIN, destination }));

/** Those that are valid. */
export const TMPFS_ACCEPTED: readonly Refused[] = [
  [
    'tmpfs',
    'With all that one can have.',
    [
      'tmpfs',
      [
        { ...PLAIN, mode: 0o1777, uid: 0, gid: 2 ** 32 - 2, inodes: 0, flags: FLAGS },
        { ...PLAIN, destination: '/b', readonly: true, sizeBytes: 0, flags: ['noatime'] },
      ],
    ],
  ],
  ['tmpfs-shm', 'In place of /dev/shm, and below it.', ['tmpfs', at('/dev/shm', '/dev/shm/x')]],
  ['tmpfs-near', 'Beside what the kernel has.', ['tmpfs', at('/device', '/proc.d', '/system')]],
  ['tmpfs-64', 'All of them.', ['tmpfs', many(64)]],
  ['tmpfs-utf-16', 'Sorted as UTF-16.', ['tmpfs', at('/\u{1f512}', '/\uff5e')]],
  ['shm', 'The smallest.', ['shmBytes', 1]],
];

const refused = (name: string, comment: string, value: unknown): Refused => [
  `tmpfs-${name}`,
  comment,
  ['tmpfs', value],
];
const refusedField = (name: string, comment: string, fields: Mount): Refused =>
  refused(name, comment, [{ ...PLAIN, ...fields }]);
const { flags: _, ...WITHOUT_FLAGS } = PLAIN;

export const TMPFS_RULES: readonly Refused[] = [
  refused('none', 'An absent list says none.', []),
  refused('65', '65 of them.', many(65)),
  refused('object', 'As Docker has them.', { '/a': '' }),
  refused('twice', 'One place twice.', at('/a', '/a')),
  refused('unsorted', 'Not sorted.', at('/b', '/a')),
  refused('root', 'In place of the root.', at('/')),
  refused('proc', 'In place of what the kernel tells.', at('/proc')),
  refused('sys', 'In place of what the kernel tells.', at('/sys/fs/cgroup')),
  refused('dev', 'In place of the devices.', at('/dev')),
  refused('dev-pts', 'In place of the terminals.', at('/dev/pts')),
  refused('relative', 'Not from the root.', at('a')),
  refused('dot', 'A component that changes nothing.', at('/a/./b')),
  refused('parent', 'A component that goes up.', at('/a/../proc')),
  refused('slash-last', 'A slash at its end.', at('/a/')),
  refused('no-flags', 'A member is missing.', [WITHOUT_FLAGS]),
  refusedField('unknown', 'An unknown member.', { huge: 'always' }),
  refusedField('size', 'A negative size.', { sizeBytes: -1 }),
  refusedField('size-text', 'A size with a suffix.', { sizeBytes: '64m' }),
  refusedField('mode', 'A mode with a bit too much.', { mode: 0o10000 }),
  refusedField('mode-negative', 'A negative mode.', { mode: -1 }),
  refusedField('uid', 'The id that means none.', { uid: 2 ** 32 - 1 }),
  refusedField('gid', 'A negative id.', { gid: -1 }),
  refusedField('inodes', 'A negative number of files.', { inodes: -1 }),
  refusedField('flag', 'A flag that there is not.', { flags: ['dev'] }),
  refusedField('flags-unsorted', 'Flags that are not sorted.', { flags: ['suid', 'exec'] }),
  refusedField('flag-twice', 'A flag twice.', { flags: ['exec', 'exec'] }),
  refusedField('atimes', 'Two that contradict each other.', { flags: ['noatime', 'strictatime'] }),
  ['shm-zero', 'No size.', ['shmBytes', 0]],
  ['shm-text', 'A size with a suffix.', ['shmBytes', '64m']],
  ['shm-null', 'Null for the usual size.', ['shmBytes', null]],
];
