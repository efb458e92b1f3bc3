import { expect, it } from 'vitest';
import { testDefinition } from '../testing/definition.ts';
import { mostLayers } from './most-layers.ts';

const none = { shares: [], disks: [] };
const share = { tag: 'bind-0', path: '/srv', readonly: false };

it('bounds the layers of a box of QEMU by nothing of its own', () => {
  expect(mostLayers(testDefinition('1'), none)).toBeUndefined();
});

it('leaves the layers of a box of libkrun the places that nothing else takes, and one', () => {
  const definition = {
    ...testDefinition('1'),
    engine: { name: 'krun', by: 'request' },
  } as const;
  expect(mostLayers(definition, none)).toBe(7);
  expect(mostLayers({ ...definition, network: 'default' }, none)).toBe(6);
  expect(mostLayers(definition, { ...none, shares: [share, share] })).toBe(5);
  const many = Array.from({ length: 20 }, () => share);
  expect(mostLayers(definition, { ...none, shares: many })).toBe(1);
});
