import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseFacts, parseHeader } from '../testing/facts.ts';
import { CONSTANTS } from './constants.ts';
import type { ApiFunction } from './describe.ts';
import { API_RELEASE, FUNCTIONS } from './functions.ts';

const factsOf = (version: string) =>
  parseFacts(readFileSync(join(import.meta.dirname, `../../facts/libkrun-${version}.txt`), 'utf8'));
const FACTS = factsOf(API_RELEASE);
const LATER = factsOf('development');
const TABLE: Readonly<Record<string, ApiFunction>> = FUNCTIONS;

const HEADER = `
/* int32_t krun_commented(int out); */
#define KRUN_SOME_FORMAT 3 // a format
#define KRUN_SOME_FLAG (1 << 4)
#define NET_SOME_FEATURE 1 << 7
#define KRUN_SOME_TAG "/dev/root"
#define KRUN_SIZES ((uint16_t[]){128, 64})
int32_t krun_none();
int32_t krun_nothing(void);
int krun_several(uint32_t ctx_id,
                 const char *const names[],
                 uint8_t *const c_mac,
#ifdef _WIN32
                 void *handle
#else
                 int fd
#endif
                 );
`;

describe('the table of libkrun functions', () => {
  it('lists each function of the facts, with its types and release', () => {
    const rows = Object.entries(TABLE).map(([name, row]) => [
      name,
      {
        since: row.since,
        returns: row.returns,
        arguments: row.arguments.map(({ name, type }) => ({ name, type })),
      },
    ]);
    expect(Object.fromEntries(rows)).toEqual(
      Object.fromEntries([...FACTS.functions, ...LATER.functions]),
    );
  });

  it('lists each constant of the facts', () => {
    expect(CONSTANTS).toEqual(Object.fromEntries(FACTS.constants));
  });

  it('gives a length for each argument that it names, and to no other', () => {
    for (const { arguments: list } of Object.values(TABLE)) {
      const lengths = list.filter(({ type }) => type === 'size_t');
      for (const { lengthOf } of lengths) {
        expect(list.map(({ name }) => name)).toContain(lengthOf);
      }
    }
  });

  it('refuses an unknown context in each function that takes one', () => {
    const without = Object.entries(TABLE)
      .filter(([, row]) => row.arguments.some(({ name }) => name === 'ctx_id'))
      .filter(([, row]) => row.errors.ENOENT === undefined)
      .map(([name]) => name);
    // This one does not look at its context: it always fails.
    expect(without).toEqual(['krun_set_mapped_volumes']);
  });
});

describe('parseHeader', () => {
  it('reads a header without comments, and as it is outside Windows', () => {
    const { functions, constants } = parseHeader(HEADER);
    expect(Object.fromEntries(functions)).toEqual({
      krun_none: { returns: 'int32_t', arguments: [] },
      krun_nothing: { returns: 'int32_t', arguments: [] },
      krun_several: {
        returns: 'int',
        arguments: [
          { name: 'ctx_id', type: 'uint32_t' },
          { name: 'names', type: 'const char*const[]' },
          { name: 'c_mac', type: 'uint8_t*const' },
          { name: 'fd', type: 'int' },
        ],
      },
    });
    expect(Object.fromEntries(constants)).toEqual({
      KRUN_SOME_FORMAT: 3,
      KRUN_SOME_FLAG: 16,
      NET_SOME_FEATURE: 128,
      KRUN_SOME_TAG: '/dev/root',
    });
  });

  // Where there is a header, and its release is that of the table.
  const path = process.env['A3S_KRUN_HEADER'];
  if (path !== undefined) {
    it('reads in the header at A3S_KRUN_HEADER what the list of facts says', () => {
      const { functions, constants } = parseHeader(readFileSync(path, 'utf8'));
      const declared = [...FACTS.functions].map(([name, { returns, arguments: list }]) => [
        name,
        { returns, arguments: list },
      ]);
      expect(Object.fromEntries(functions)).toEqual(Object.fromEntries(declared));
      expect(Object.fromEntries(constants)).toEqual(Object.fromEntries(FACTS.constants));
    });
  }
});
