import { expect, it } from 'vitest';
import { parseHardLimits } from './limits.ts';

it('reads hard limits, and leaves out unlimited ones', () => {
  const text = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max cpu time              unlimited            unlimited            seconds   ',
    'Max file size             unlimited            1048576              bytes     ',
    'Max open files            1024                 20000                files     ',
    'Max address space         unlimited            unlimited            bytes     ',
    'Max processes             96365                96365                processes ',
  ].join('\n');
  expect([...parseHardLimits(text)]).toEqual([
    ['fsize', 1_048_576],
    ['nofile', 20_000],
    ['nproc', 96_365],
  ]);
});
