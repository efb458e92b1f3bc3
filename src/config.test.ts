import { expect, it } from 'vitest';
import { readConfig } from './config.ts';

it('accepts weak cells only where exactly that is asked for', () => {
  const accepts = (value: string | undefined): boolean =>
    readConfig({ A3S_ALLOW_WEAK_CELL: value }, 1000, '/opt/a3s').allowWeakCell;
  expect(accepts('1')).toBe(true);
  for (const value of [undefined, '', '0', 'no', 'true']) expect(accepts(value)).toBe(false);
});
