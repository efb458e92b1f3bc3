import { inspectBelow } from '../inspect-each.ts';

export const inspectPool = inspectBelow('/a3s/v1/pools', {
  usage: '[OPTIONS] POOL [POOL...]',
});
