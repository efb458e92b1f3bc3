import { inspectBelow } from '../inspect-each.ts';

export const inspectPool = inspectBelow('/a3s/v1/pools', {
  usage: '[OPTIONS] POOL [POOL...]',
  description: 'Display detailed information on one or more pools',
});
