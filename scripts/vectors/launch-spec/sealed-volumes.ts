/**
 * Sealed volumes in launch specs.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const ID = '0123456789abcdef0123456789abcdef';
const MADE = { name: 'data', destination: '/data', policy: 'exact', init: true };
const { policy: _, ...WITHOUT_POLICY } = MADE;
const { init: __, ...WITHOUT_INIT } = MADE;
const PINNED = { ...MADE, init: false, id: ID };

const volumes = (name: string, comment: string, list: unknown): Refused => [
  `volumes-${name}`,
  comment,
  ['volumes', list],
];

const one = (name: string, comment: string, change: object, of: object = MADE): Refused =>
  volumes(name, comment, [{ ...of, ...change }]);

const COUNTED = { ...MADE, counter: 'default/db/data' };

const BROKER = { host: 'broker.example', port: 8443, tenant: 'default', key: 'a'.repeat(64) };

/** With a broker. */
const served = (name: string, comment: string, list: unknown): Refused => [
  `volumes-${name}`,
  comment,
  ['broker', BROKER],
  ['volumes', list],
];

const counted = (name: string, comment: string, list: unknown): Refused =>
  served(`counter-${name}`, comment, list);

const KEYED = { ...MADE, policy: 'broker', key: 'default/volumes/key' };

const keyed = (name: string, comment: string, list: unknown): Refused =>
  served(`key${name}`, comment, list);

const many = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...MADE,
    name: `data-${index + 10}`,
    destination: `/data/${index}`,
  }));

/** Those that are valid. */
export const SEALED_VOLUMES_ACCEPTED: readonly Refused[] = [
  one('init', 'One that may be made.', {}),
  one('id', 'One that is expected.', {}, PINNED),
  one('upgradable', 'For later boot sets too, without sealing for the workload.', {
    policy: 'upgradable',
  }),
  one('name-57', 'The longest name.', { name: `d${'_'.repeat(56)}` }),
  one('in-run', 'A place that the agent makes nothing at.', { destination: '/run/data' }),
  one('devices', 'A name that begins as another one.', { destination: '/devices' }),
  volumes('16', 'All of them.', many(16)),
  counted('init', 'One that may be made, and is counted.', [COUNTED]),
  counted('id', 'One that is expected and counted, beside one that is not.', [
    { ...PINNED, counter: COUNTED.counter },
    { ...MADE, name: 'more', destination: '/more' },
  ]),
  keyed('', 'One whose key a broker has.', [KEYED]),
  keyed('-counter', 'One that is counted too.', [{ ...KEYED, counter: COUNTED.counter }]),
  keyed('-id', 'One that is expected, and another one with the same key.', [
    { ...PINNED, policy: 'broker', key: KEYED.key },
    { ...KEYED, name: 'more', destination: '/more' },
  ]),
];

export const SEALED_VOLUMES_RULES: readonly Refused[] = [
  volumes('empty', 'An absent list says none.', []),
  volumes('null', 'Null is no value.', null),
  volumes('17', '17 of them.', many(17)),
  volumes('unsorted', 'Names out of order.', many(2).reverse()),
  volumes('twice', 'A volume twice.', [MADE, { ...MADE, destination: '/other' }]),
  volumes(
    'one-place',
    'Two at one place.',
    many(2).map((each) => ({ ...each, destination: '/d' })),
  ),
  [
    'volumes-at-tmpfs',
    'One where a tmpfs is.',
    ['volumes', [MADE]],
    ['tmpfs', [{ destination: '/data', readonly: false, sizeBytes: 0, flags: [] }]],
  ],
  one('name-short', 'A name of one letter.', { name: 'd' }),
  one('name-58', 'A name that is too long.', { name: 'd'.repeat(58) }),
  one('name-capital', 'A capital.', { name: 'Data' }),
  one('name-slash', 'A slash.', { name: 'da/ta' }),
  one('name-line-end', 'A line end behind it.', { name: 'data\n' }),
  one('name-dot', 'A dot before it.', { name: '.data' }),
  one('root', 'Volumes are below the root.', { destination: '/' }),
  one('relative', 'A path that begins nowhere.', { destination: 'data' }),
  one('dots', 'A path with another spelling.', { destination: '/data/../data' }),
  one('slash', 'A slash behind it.', { destination: '/data/' }),
  one('proc', "The kernel's own.", { destination: '/proc/data' }),
  one('sys', "The kernel's own.", { destination: '/sys' }),
  one('shm', 'What tmpfs may replace alone.', { destination: '/dev/shm' }),
  one('policy-none', 'A volume without a key.', { policy: 'none' }),
  volumes('policy-missing', 'It is written out.', [WITHOUT_POLICY]),
  volumes('init-missing', 'It is written out.', [WITHOUT_INIT]),
  one('init-text', 'Another type.', { init: 'true' }),
  one('init-with-id', 'Both at once.', { id: ID }),
  one('neither', 'Nothing to expect, and nothing to make.', { init: false }),
  one('id-null', 'Null is no value.', { id: null }),
  one('id-short', 'A digit short.', { id: ID.slice(1) }, PINNED),
  one('id-long', 'A digit long.', { id: `${ID}0` }, PINNED),
  one('id-capital', 'Digits in capitals.', { id: ID.toUpperCase() }, PINNED),
  one('readonly', 'A field that is not known.', { readonly: true }),
  volumes('counter-without-broker', 'Nobody to count it.', [COUNTED]),
  counted('null', 'Null is no value.', [{ ...MADE, counter: null }]),
  counted('two-parts', 'Two parts.', [{ ...MADE, counter: 'db/data' }]),
  counted('pattern', 'A pattern.', [{ ...MADE, counter: 'a/b/*' }]),
  counted('shared', 'One counter of two volumes.', [
    COUNTED,
    { ...COUNTED, name: 'more', destination: '/more' },
  ]),
  volumes('key-without-broker', 'Nobody to have it from.', [KEYED]),
  keyed('-null', 'Null is no value.', [{ ...KEYED, key: null }]),
  keyed('-two-parts', 'Two parts.', [{ ...KEYED, key: 'db/key' }]),
  keyed('-pattern', 'A pattern.', [{ ...KEYED, key: 'a/b/*' }]),
  keyed('-exact', 'A key that nobody fetches.', [{ ...KEYED, policy: 'exact' }]),
  keyed('-missing', 'No key to fetch.', [{ ...COUNTED, policy: 'broker' }]),
];
