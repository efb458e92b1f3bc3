/**
 * Secrets that are fetched from a broker, in a launch spec.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const A = 'a'.repeat(64);
const BROKER = { host: 'broker.example', port: 8443, tenant: 'default', key: A };
const SECRET = {
  name: 'token',
  injectors: [],
  allowAnyInjector: false,
  delivery: { kind: 'file' },
  resource: 'default/db/password',
};

const broker = (name: string, comment: string, changes: object): Refused => [
  `broker-${name}`,
  comment,
  ['broker', { ...BROKER, ...changes }],
  ['secrets', [SECRET]],
];
const resource = (name: string, comment: string, path: unknown): Refused => [
  `resource-${name}`,
  comment,
  ['broker', BROKER],
  ['secrets', [{ ...SECRET, resource: path }]],
];
const secret = (name: string, comment: string, changes: object): Refused => [
  `fetched-${name}`,
  comment,
  ['broker', BROKER],
  ['secrets', [{ ...SECRET, ...changes }]],
];

const refresh = (name: string, comment: string, changes: object): Refused => [
  `refresh-${name}`,
  comment,
  ['broker', BROKER],
  ['secrets', [{ ...SECRET, ...changes }]],
];

/** Those that are valid. */
export const BROKER_ACCEPTED: readonly Refused[] = [
  broker('file', 'A secret that becomes a file.', {}),
  broker('ipv4', 'An address.', { host: '192.0.2.1' }),
  broker('ipv6', 'An address.', { host: '2001:db8::1' }),
  broker('ipv6-first-letter', 'An address that begins with a letter.', { host: 'fd00::1' }),
  broker('ipv6-any', 'An address that begins with a colon.', { host: '::1' }),
  broker('host-253', 'The longest name.', { host: 'a'.repeat(253) }),
  broker('port-1', 'The least.', { port: 1 }),
  broker('port-65535', 'The greatest.', { port: 65_535 }),
  broker('tenant', 'Another tenant.', { tenant: '0-team-a' }),
  broker('tokens', 'One that gives tokens, too.', { tokens: true }),
  ['tokens-alone', 'One that gives tokens alone.', ['broker', { ...BROKER, tokens: true }]],
  secret('env', 'A secret that becomes a variable.', {
    delivery: { kind: 'env', variable: 'TOKEN' },
  }),
  refresh('file', 'A secret that is fetched again.', { refresh: 10 }),
  refresh('week', 'The longest.', { refresh: 604_800 }),
  resource('characters', 'All that a path can have.', `_/-.._/${'Z9._-'.repeat(25)}abc`),
];

export const BROKER_RULES: readonly Refused[] = [
  ['broker-without-secret', 'It is asked for nothing.', ['broker', BROKER]],
  ['broker-missing', 'Nobody to ask.', ['secrets', [SECRET]]],
  ['broker-null', 'Null is no value.', ['broker', null], ['secrets', [SECRET]]],
  broker('host-empty', 'No host.', { host: '' }),
  broker('host-capitals', 'A name has one spelling.', { host: 'Broker.example' }),
  broker('host-brackets', 'As in a URL.', { host: '[::1]' }),
  broker('host-port', 'The port has its own field.', { host: '192.0.2.1:80' }),
  broker('host-zone', 'An address of one host’s link.', { host: 'fe80::1%eth0' }),
  broker('host-slash', 'No path.', { host: 'broker.example/x' }),
  broker('host-user', 'No user.', { host: 'user@broker.example' }),
  broker('host-dash', 'Begins with a letter or digit.', { host: '-a' }),
  broker('host-line-end', 'A line end behind a name.', { host: 'a\n' }),
  broker('host-254', '254 characters.', { host: 'a'.repeat(254) }),
  broker('host-hex', 'Hexadecimal digits beyond an address.', { host: `${'0:'.repeat(23)}` }),
  broker('port-0', 'No port.', { port: 0 }),
  broker('port-65536', 'No port.', { port: 65_536 }),
  broker('port-text', 'A number as text.', { port: '443' }),
  broker('tenant-empty', 'No tenant.', { tenant: '' }),
  broker('tenant-capitals', 'No capitals.', { tenant: 'Team' }),
  broker('tenant-64', '64 characters.', { tenant: 'a'.repeat(64) }),
  broker('key-short', '63 digits.', { key: A.slice(1) }),
  broker('key-capitals', 'Digits in capitals.', { key: 'A'.repeat(64) }),
  broker('key-missing', 'Anybody could be the broker.', { key: undefined }),
  broker('more', 'An unknown key.', { ca: 'x' }),
  broker('tokens-false', 'An absent field says so.', { tokens: false }),
  broker('tokens-null', 'Null is no value.', { tokens: null }),
  secret('and-injected', 'Two ways.', { injectors: [A] }),
  secret('and-any', 'Two ways.', { allowAnyInjector: true }),
  refresh('null', 'Null is no value.', { refresh: null }),
  refresh('often', 'Too often.', { refresh: 9 }),
  refresh('seldom', 'Longer than a week.', { refresh: 604_801 }),
  refresh('fraction', 'No whole number.', { refresh: 10.5 }),
  refresh('env', 'A variable never changes.', {
    refresh: 10,
    delivery: { kind: 'env', variable: 'TOKEN' },
  }),
  [
    'refresh-injected',
    'Nobody to ask again.',
    ['secrets', [{ ...SECRET, resource: undefined, injectors: [A], refresh: 10 }]],
  ],
  resource('null', 'Null is no value.', null),
  resource('empty', 'No path.', ''),
  resource('two-parts', 'Two parts.', 'db/password'),
  resource('four-parts', 'Four parts.', 'a/b/c/d'),
  resource('parent', 'A part that clients resolve.', 'a/../c'),
  resource('empty-part', 'An empty part.', 'a//c'),
  resource('slash-first', 'A slash before it.', '/a/b/c'),
  resource('slash-last', 'A slash behind it.', 'a/b/c/'),
  resource('percent', 'An escape.', 'a/b/%63'),
  resource('query', 'A query.', 'a/b/c?d'),
  resource('star', 'A pattern.', 'a/b/*'),
  resource('part-129', '129 characters.', `a/b/${'c'.repeat(129)}`),
];
