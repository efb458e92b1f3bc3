import { expect, it } from 'vitest';
import { excess } from './bounds.ts';

const entries = [
  { name: 'old', lastUsed: 1, sizeBytes: 10 },
  { name: 'new', lastUsed: 9, sizeBytes: 10 },
  { name: 'middle', lastUsed: 5, sizeBytes: 100 },
];
const going = (max: number, diskBytes: number, used: readonly string[] = []): string[] =>
  excess(entries, ({ name }) => used.includes(name), { max, diskBytes }).map(({ name }) => name);

it('chooses the least recently used templates for eviction until the rest fits', () => {
  expect(going(3, 120)).toEqual([]);
  expect(going(2, 120)).toEqual(['old']);
  expect(going(3, 119)).toEqual(['old']);
  expect(going(3, 50)).toEqual(['old', 'middle']);
  expect(going(0, 0)).toEqual(['old', 'middle', 'new']);
});

it('chooses no template for eviction that is in use', () => {
  expect(going(1, 120, ['old'])).toEqual(['middle', 'new']);
  expect(going(0, 0, ['old', 'new', 'middle'])).toEqual([]);
});
