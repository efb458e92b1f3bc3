import { inspectBelow } from '../inspect-each.ts';

export const inspectSnapshot = inspectBelow('/a3s/v1/snapshots', {
  usage: '[OPTIONS] SNAPSHOT [SNAPSHOT...]',
});
