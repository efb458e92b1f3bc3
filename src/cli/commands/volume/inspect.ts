import { inspectBelow } from '../inspect-each.ts';

export const inspectVolume = inspectBelow('/volumes', {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
});
