import { expect, it } from 'vitest';
import { linkedHosts, parseLink } from './links.ts';

const [ID, OTHER, NETWORK] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)];

/** The lines of a box with so many links to another, and what was logged. */
function linked(count: number) {
  const logged: unknown[] = [];
  const links = Array.from({ length: count }, (_, number) => `other:a${1000 + number}`);
  const endpoint = { network: NETWORK, aliases: [] };
  const other = { name: 'other', definition: { id: OTHER, endpoints: [endpoint] } };
  const rt = {
    networks: { endpointsOf: () => [{ box: OTHER, address: '10.1.2.3' }] },
    store: { get: (id: string) => (id === OTHER ? other : undefined) },
    log: { info: (...line: unknown[]) => void logged.push(line) },
  } as unknown as Parameters<typeof linkedHosts>[0];
  const definition = { id: ID, endpoints: [{ ...endpoint, links }] } as unknown as Parameters<
    typeof linkedHosts
  >[1];
  return { lines: linkedHosts(rt, definition), logged };
}

it('gives a box at most 256 lines, and logs how many are left out', () => {
  const few = linked(256);
  expect(few.lines).toHaveLength(256);
  expect(few.logged).toEqual([]);
  const many = linked(258);
  expect(many.lines).toEqual(few.lines);
  expect(many.logged).toEqual([
    ['names of links are left out: there are too many', { box: ID, leftOut: 2 }],
  ]);
});

it('takes links of aliases that begin with an underscore, and nothing that is two words', () => {
  expect(parseLink('_db:_main')).toEqual({ target: '_db', alias: '_main' });
  for (const link of ['db:a b', 'db:a\n10.0.0.1 b', 'a,b:c', '-db:a']) {
    expect(() => parseLink(link)).toThrow('bad format for links');
  }
});
