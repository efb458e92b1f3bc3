import { describe, expect, it } from 'vitest';
import { SHIPPED_ROOT } from './shipped-root.ts';
import { readTrustedRoot } from './trusted-roots.ts';

const KINDS = ['tlogs', 'ctlogs', 'certificateAuthorities', 'timestampAuthorities'] as const;
type Kind = (typeof KINDS)[number];

/** The shipped root with another `validFor` in its first authority of the given kind. */
function rootWith(kind: Kind, validFor: unknown): string {
  const root = JSON.parse(JSON.stringify(SHIPPED_ROOT));
  const [authority] = root[kind];
  const holder = kind.endsWith('logs') ? authority.publicKey : authority;
  holder.validFor = validFor;
  return JSON.stringify(root);
}

const START = '2021-01-12T11:53:27Z';

describe.each(KINDS)('a trusted root, of whose %s one', (kind) => {
  it.each([
    ['missing', undefined],
    ['null', null],
    ['a list', []],
    ['no start', {}],
    ['an end alone', { end: START }],
    ['null for a start', { start: null }],
    ['an empty start', { start: '' }],
    ['a number for a start', { start: 0 }],
    ['protobuf seconds', { start: { seconds: '1610452407' } }],
    ['words', { start: 'yesterday' }],
    ['a date alone', { start: '2021-01-12' }],
    ['a time without a zone', { start: '2021-01-12T11:53:27' }],
    ['a month 13', { start: '2021-13-12T11:53:27Z' }],
    ['a year alone', { start: '2021' }],
    ['blanks', { start: ` ${START}` }],
  ])('refuses a trusted root whose validity period is %s', (_, validFor) => {
    expect(() => readTrustedRoot(rootWith(kind, validFor))).toThrow(
      `it has an authority, ${kind}[0], without a valid validFor.start`,
    );
  });

  it.each(['', 'never', 0, '2021-13-12T11:53:27Z'])(
    'refuses a trusted root whose validity ends at %j',
    (end) => {
      expect(() => readTrustedRoot(rootWith(kind, { start: START, end }))).toThrow(
        `it has an authority, ${kind}[0], without a valid validFor.end`,
      );
    },
  );

  it('reads a trusted root whose validity has a start', () => {
    for (const validFor of [
      { start: START },
      { start: START, end: null },
      { start: '2021-01-12T12:53:27.123456789+01:00', end: '2022-10-31T23:59:59.999Z' },
    ]) {
      const material = readTrustedRoot(rootWith(kind, validFor));
      expect(material[kind][0]?.validFor.start.toISOString()).toMatch(/^2021-01-12T11:53:27/);
    }
  });
});
